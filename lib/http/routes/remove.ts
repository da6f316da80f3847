import { empty, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'removeBackup',
  tags: ['backup'],
  summary: 'Delete a backup: its snapshot file and its log row',
  params: IdParams,
  querystring: EmptyQuery,
  response: {
    204: empty('Deleted'),
    ...errorResponses.always,
    ...errorResponses.missing,
    ...errorResponses.busy
  }
}

export function removeRoute (scope: Scope, { engineFor, extend, requireRestoreAuth }: RouteContext): void {
  scope.delete('/:id', extend({ schema, onRequest: requireRestoreAuth }), async (request, reply) => {
    await engineFor(request).remove(request.params.id)
    return reply.code(204).send()
  })
}
