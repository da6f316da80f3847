import { StatusSchema } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { StatusArguments } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'showBackupStatus',
  tags: ['backup'],
  summary: 'Show health, next run, current runs, newest backups and the size of all snapshots',
  querystring: StatusArguments,
  response: {
    200: response('The status of the service, also while the database is not available', StatusSchema),
    ...errorResponses.always
  }
}

export function statusRoute (scope: Scope, { engineFor, extend, passesRestoreAuth }: RouteContext): void {
  scope.get('/status', extend({ schema }), async (request, reply) => {
    const status = await engineFor(request).status(request.query)
    if (await passesRestoreAuth(request, reply)) return status
    return { ...status, can: { ...status.can, restore: false, import: false, remove: false } }
  })
}
