import { BackupSchema, type BackupChanges } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery, UpdateArguments } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'updateBackup',
  tags: ['backup'],
  summary: 'Pin or accept a snapshot, or change its note',
  description: 'A pinned snapshot is never pruned. Unpinning and accepting require the same rights as deleting.',
  params: IdParams,
  querystring: EmptyQuery,
  body: UpdateArguments,
  response: {
    200: response('The updated backup', BackupSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.missing,
    ...errorResponses.busy
  }
}

export function updateRoute (scope: Scope, { engineFor, extend, requireRestoreAuth }: RouteContext): void {
  scope.patch('/:id', extend({
    schema,
    // Not in onRequest, because the decision depends on the body
    preHandler (request, reply, done) {
      // The schema has checked it
      const { pinned, accepted }: BackupChanges = Object(request.body)
      if (pinned === false || accepted !== undefined) requireRestoreAuth.call(scope, request, reply, done)
      else done()
    }
  }), (request) => engineFor(request).update(request.params.id, request.body))
}
