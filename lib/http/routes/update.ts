import { BackupSchema } from '../../../types/index.ts'
import { answer, refusals } from '../response-schemas.ts'
import { IdParams, NoQuery, UpdateArguments } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'updateBackup',
  tags: ['backup'],
  summary: 'Pin or accept a snapshot, or write a note',
  description: 'A pinned snapshot is never pruned. To unpin or to accept takes the same rights as to delete.',
  params: IdParams,
  querystring: NoQuery,
  body: UpdateArguments,
  response: {
    200: answer('The backup as it is now', BackupSchema),
    ...refusals.always,
    ...refusals.body,
    ...refusals.missing,
    ...refusals.busy
  }
}

export function updateRoute (scope: Scope, { engineFor, requireRestoreAuth }: RouteContext): void {
  scope.patch('/:id', {
    schema,
    // Not sooner, because it takes the body to know
    preHandler (request, reply, done) {
      if (request.body.pinned === false || request.body.accepted !== undefined) requireRestoreAuth.call(scope, request, reply, done)
      else done()
    }
  }, (request) => engineFor(request).update(request.params.id, request.body))
}
