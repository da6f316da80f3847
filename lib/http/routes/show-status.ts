import { StatusSchema } from '../../../types/index.ts'
import { answer, refusals } from '../answers.ts'
import { StatusQuerySchema } from '../requests.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'showBackupStatus',
  tags: ['backup'],
  summary: 'Health, next run, what runs now, newest backups and bytes held',
  querystring: StatusQuerySchema,
  response: {
    200: answer('How the service stands, also while the database is down', StatusSchema),
    ...refusals.always
  }
}

export function showStatus (scope: Scope, { engineFor }: RouteContext): void {
  scope.get('/status', { schema }, (request) => engineFor(request).status(request.query))
}
