import { VerificationSchema } from '../../../types/index.ts'
import { answer, refusals } from '../response-schemas.ts'
import { IdParams, NoBody, NoQuery } from '../../arguments/call-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'verifyBackup',
  tags: ['backup'],
  summary: 'Tell whether a snapshot file is sound',
  description: 'Reads it from its first byte to its last: structure, counts, checksums. Loads nothing.',
  params: IdParams,
  querystring: NoQuery,
  body: NoBody,
  response: {
    200: answer('What was found', VerificationSchema),
    ...refusals.always,
    ...refusals.body,
    ...refusals.missing,
    ...refusals.busy,
    ...refusals.gone
  }
}

export function verifyRoute (scope: Scope, { engineFor }: RouteContext): void {
  scope.post('/:id/verify', { ...longRoute, schema }, (request) => engineFor(request).verify(request.params.id))
}
