import { VerificationSchema } from '../../../types/index.ts'
import { answerWithProgress, progressDescription } from '../answer-with-progress.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyBody, EmptyQuery } from '../../arguments/call-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'verifyBackup',
  tags: ['backup'],
  summary: 'Verify a snapshot file',
  description: 'Reads the complete file and checks its structure, counts and checksums. Loads nothing into the ' +
    `database. ${progressDescription} A client that disconnects does not abort the verification.`,
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

export function verifyRoute (scope: Scope, { engineFor, extend, streams }: RouteContext): void {
  scope.post('/:id/verify', extend({ ...longRoute, schema }), async (request, reply) =>
    await answerWithProgress(request, reply, streams.heartbeatMs, async ({ onProgress }) =>
      await engineFor(request).verify(request.params.id, { onProgress })))
}
