import { BackupSchema, RestoreResultSchema } from '../../../types/index.ts'
import { RestoreNotAllowed } from '../../errors.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery, RestoreArguments } from '../../arguments/call-schemas.ts'
import { prefersAsync } from '../prefer-header.ts'
import { callerOf, locationOf, longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'restoreBackup',
  tags: ['backup'],
  summary: 'Restore the rows of a snapshot',
  description: 'Takes a snapshot of the current rows automatically and replaces them, in one transaction. Responds ' +
    'when the restore is finished, or immediately with `Prefer: respond-async`; in that case `restore` of the backup ' +
    'contains the outcome. A client that disconnects does not abort the run.',
  params: IdParams,
  querystring: EmptyQuery,
  body: RestoreArguments,
  response: {
    200: response('What was restored', RestoreResultSchema),
    202: response('The backup that is being restored, with `Prefer: respond-async`', BackupSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.missing,
    ...errorResponses.busy,
    ...errorResponses.gone,
    ...errorResponses.unusable,
    ...errorResponses.full
  }
}

export function restoreRoute (scope: Scope, { engineFor, options, extend, requireRestoreAuth }: RouteContext): void {
  const refuseUnlessAllowed = async (): Promise<void> => {
    if (!options.allowRestore) throw new RestoreNotAllowed()
  }

  scope.post('/:id/restore', extend({
    ...longRoute,
    schema,
    onRequest: [requireRestoreAuth, refuseUnlessAllowed]
  }), async (request, reply) => {
    const call = { ...request.body, ...callerOf(request, options) }
    const run = await engineFor(request).beginRestore(request.params.id, call)
    if (prefersAsync(request)) {
      const location = locationOf(scope, run.backup.id)
      return reply.code(202).headers({ location, 'preference-applied': 'respond-async' }).send(run.backup)
    }
    return reply.code(200).send(await run.finished)
  })
}
