import type { FastifyInstance } from 'fastify'

/**
 * Takes JSON only, and no body, or one of zero bytes, for `{}`: a client that always sends the content type is no reason for a 400.
 * Other types are 415, among them those that an HTML form can send.
 */
export function acceptJson (scope: FastifyInstance): void {
  const parseJson = scope.getDefaultJsonParser('error', 'error')
  // The app may have a parser of its own for JSON, which can't be replaced but by removing it
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {})
    else parseJson(request, String(body), done)
  })
  scope.addHook('preValidation', async (request) => {
    if (request.body === undefined) request.body = {}
  })
}
