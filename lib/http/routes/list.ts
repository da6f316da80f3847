import { BackupListSchema } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { ListArguments } from '../../arguments/call-schemas.ts'
import { collectionAddresses, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'listBackups',
  tags: ['backup'],
  summary: 'List backups, newest first',
  querystring: ListArguments,
  response: {
    200: response('A page of backups', BackupListSchema),
    ...errorResponses.always
  }
}

export function listRoute (scope: Scope, { engineFor, extend }: RouteContext): void {
  for (const { hide, ...address } of collectionAddresses(scope)) {
    scope.get('/', extend({ ...address, schema: { ...schema, hide } }), (request) =>
      engineFor(request).list(request.query))
  }
}
