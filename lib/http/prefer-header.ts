import type { FastifyRequest } from 'fastify'

/**
 * One part of the header: a quoted string (RFC 9110, 5.6.4), a separator, a token or white space. The expression is
 * sticky, and each alternative starts with different characters, so it does not backtrack.
 */
const part = /"(?:[^"\\]|\\[^])*(?:"|$)|[,;=]|[^\s",;=]+|\s+/y

/** Yields the parts of each preference. Reads the header once, so the time is linear in its length. */
function * preferencesIn (header: string): Generator<string[]> {
  let parts: string[] = []
  part.lastIndex = 0
  for (let match = part.exec(header); match !== null; match = part.exec(header)) {
    const [found] = match
    if (found === ',') {
      yield parts
      parts = []
    } else if (found.trim() !== '') {
      parts.push(found)
    }
  }
  yield parts
}

/**
 * Whether the client prefers not to wait: `Prefer: respond-async` (RFC 7240, 4.1), also with parameters or among other
 * preferences. An empty value counts as no value (RFC 7240, 2).
 */
export function prefersAsync (request: FastifyRequest): boolean {
  for (const [name, ...rest] of preferencesIn([request.headers.prefer ?? []].flat().join(','))) {
    if (name?.toLowerCase() !== 'respond-async') continue
    const afterValue = rest[0] === '=' ? rest.slice(rest[1] === '""' ? 2 : 1) : rest
    if (afterValue[0] === undefined || afterValue[0] === ';') return true
  }
  return false
}
