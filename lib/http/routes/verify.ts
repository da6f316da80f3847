import { VerificationSchema } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyBody, EmptyQuery } from '../../arguments/call-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'verifyBackup',
  tags: ['backup'],
  summary: 'Verify a snapshot file',
  description: 'Reads the complete file and checks its structure, counts and checksums. Loads nothing into the ' +
    'database.',
  params: IdParams,
  querystring: EmptyQuery,
  body: EmptyBody,
  response: {
    200: response('The result of the verification', VerificationSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.missing,
    ...errorResponses.busy,
    ...errorResponses.gone
  }
}

export function verifyRoute (scope: Scope, { engineFor, extend }: RouteContext): void {
  scope.post('/:id/verify', extend({ ...longRoute, schema }), (request) =>
    engineFor(request).verify(request.params.id))
}
