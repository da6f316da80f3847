import fresh from 'fresh'
import { ManifestSchema } from '../../../types/index.ts'
import { response, empty, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'
import { findSnapshot } from './download.ts'

const schema = {
  operationId: 'showManifest',
  tags: ['backup'],
  summary: 'Show the manifest of a snapshot file',
  description: 'Reads the head of the file and no rows. Supports If-None-Match.',
  params: IdParams,
  querystring: EmptyQuery,
  response: {
    200: response('The manifest', ManifestSchema),
    304: empty('The file matches If-None-Match'),
    ...errorResponses.always,
    ...errorResponses.missing,
    ...errorResponses.busy,
    ...errorResponses.gone,
    ...errorResponses.tooLarge,
    ...errorResponses.unusable
  }
}

export function manifestRoute (scope: Scope, { engineFor, extend }: RouteContext): void {
  scope.get('/:id/manifest', extend({ schema }), async (request, reply) => {
    const { id } = request.params
    const etag = `"${(await findSnapshot(engineFor(request), id)).checksum}"`
    // Weak, since the response has the content of the head, and not its bytes
    const weak = { etag: `W/${etag}` }
    if (fresh(request.headers, weak)) return reply.headers(weak).code(304).send()
    const manifest = await engineFor(request).manifest(id)
    return reply.headers(weak).send(manifest)
  })
}
