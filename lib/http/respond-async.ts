import type { FastifyRequest } from 'fastify'

/**
 * Whether the client would rather not wait: `Prefer: respond-async` (RFC 7240, 4.1), be it among other preferences or with parameters.
 * A quoted value may hold commas and this very word, so those go first; an empty one counts as none (RFC 7240, 2).
 */
export function prefersAsync (request: FastifyRequest): boolean {
  return [request.headers.prefer ?? []].flat().join(',')
    .replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, text) => text === '' ? '' : 'quoted')
    .split(',')
    .some((preference) => /^\s*respond-async\s*(?:=\s*)?(?:;|$)/i.test(preference))
}
