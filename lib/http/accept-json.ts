import type { FastifyInstance } from 'fastify'

/**
 * Accepts JSON only. A missing or empty body counts as `{}`, because some clients always send the content type, and
 * that should not cause a 400. Any other content type is answered with 415, including those that an HTML form can
 * send.
 */
export function acceptJson (scope: FastifyInstance): void {
  const parseJson = scope.getDefaultJsonParser('error', 'error')
  // The app may have added its own JSON parser. It cannot be replaced, only removed
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {})
    else parseJson(request, String(body), done)
  })
  scope.addHook('preValidation', async (request) => {
    if (request.body === undefined) request.body = {}
  })
}
