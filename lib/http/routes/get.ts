import { BackupSchema } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery } from '../../arguments/call-schemas.ts'
import type { RouteContext, Scope } from '../route-context.ts'

const schema = {
  operationId: 'getBackup',
  tags: ['backup'],
  summary: 'Show one backup, with its progress while it runs',
  params: IdParams,
  querystring: EmptyQuery,
  response: {
    200: response('The backup', BackupSchema),
    ...errorResponses.always,
    ...errorResponses.missing
  }
}

export function getRoute (scope: Scope, { engineFor, extend }: RouteContext): void {
  scope.get('/:id', extend({ schema }), (request) => engineFor(request).get(request.params.id))
}
