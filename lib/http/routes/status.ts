import { StatusSchema } from '../../../types/index.ts'
import { answer, refusals } from '../response-schemas.ts'
import { StatusArguments } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'showBackupStatus',
  tags: ['backup'],
  summary: 'Health, next run, what runs now, newest backups and bytes held',
  querystring: StatusArguments,
  response: {
    200: answer('How the service stands, also while the database is down', StatusSchema),
    ...refusals.always
  }
}

export function statusRoute (scope: Scope, { engineFor }: RouteContext): void {
  scope.get('/status', { schema }, (request) => engineFor(request).status(request.query))
}
