import { BackupSchema, RestoreResultSchema } from '../../../types/index.ts'
import { RestoreNotAllowed } from '../../errors.ts'
import { answer, refusals } from '../response-schemas.ts'
import { IdParams, NoQuery, RestoreArguments } from '../../arguments/call-schemas.ts'
import { prefersAsync } from '../prefer-header.ts'
import { callerOf, locationOf, longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'restoreBackup',
  tags: ['backup'],
  summary: 'Put the rows of a snapshot back',
  description: 'In one transaction, after an automatic snapshot of what is there. Answers when it is done, or at once with `Prefer: respond-async`; then ' +
    '`restore` of the backup tells how it went. A client that goes away does not end the run.',
  params: IdParams,
  querystring: NoQuery,
  body: RestoreArguments,
  response: {
    200: answer('What was restored', RestoreResultSchema),
    202: answer('The backup that is being restored, with `Prefer: respond-async`', BackupSchema),
    ...refusals.always,
    ...refusals.body,
    ...refusals.missing,
    ...refusals.busy,
    ...refusals.gone,
    ...refusals.unusable,
    ...refusals.full
  }
}

export function restoreRoute (scope: Scope, { engineFor, options, requireRestoreAuth }: RouteContext): void {
  const refuseUnlessAllowed = async (): Promise<void> => {
    if (!options.allowRestore) throw new RestoreNotAllowed()
  }

  scope.post('/:id/restore', {
    ...longRoute,
    schema,
    onRequest: [requireRestoreAuth, refuseUnlessAllowed]
  }, async (request, reply) => {
    const run = await engineFor(request).beginRestore(request.params.id, { ...request.body, ...callerOf(request, options) })
    if (prefersAsync(request)) {
      const location = locationOf(scope, run.backup.id)
      return reply.code(202).headers({ location, 'preference-applied': 'respond-async' }).send(run.backup)
    }
    return reply.code(200).send(await run.finished)
  })
}
