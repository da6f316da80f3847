import type { FastifyRequest } from 'fastify'

/** A token, with what may follow it, or a quoted value (RFC 9110, 5.6.4). Sticky, and each alternative begins with another character: no backtracking. */
const part = /"(?:[^"\\]|\\[^])*(?:"|$)|[,;=]|[^\s",;=]+|\s+/y

/** The preferences of the header, each as its parts. One pass, however long the header is. */
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
 * Whether the client would rather not wait: `Prefer: respond-async` (RFC 7240, 4.1), be it among other preferences or with parameters. An empty value
 * counts as none (RFC 7240, 2).
 */
export function prefersAsync (request: FastifyRequest): boolean {
  for (const [name, ...rest] of preferencesIn([request.headers.prefer ?? []].flat().join(','))) {
    if (name?.toLowerCase() !== 'respond-async') continue
    const behind = rest[0] === '=' ? rest.slice(rest[1] === '""' ? 2 : 1) : rest
    if (behind[0] === undefined || behind[0] === ';') return true
  }
  return false
}
