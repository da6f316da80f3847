import { RestorePlanSchema } from '../../../types/index.ts'
import { answerWithProgress, progressDescription } from '../answer-with-progress.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { IdParams, EmptyQuery, PlanArguments } from '../../arguments/call-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'planRestore',
  tags: ['backup'],
  summary: 'Plan a restore',
  description: 'Shows what a restore would do. Changes nothing, and is allowed even when restores are disabled. ' +
    `${progressDescription} A client that disconnects ends the call.`,
  params: IdParams,
  querystring: EmptyQuery,
  body: PlanArguments,
  response: {
    200: response('The plan', RestorePlanSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.missing,
    ...errorResponses.busy,
    ...errorResponses.gone,
    ...errorResponses.unusable
  }
}

export function planRoute (scope: Scope, { engineFor, extend, streams }: RouteContext): void {
  scope.post('/:id/plan', extend({ ...longRoute, schema }), async (request, reply) =>
    await answerWithProgress(request, reply, streams.heartbeatMs, async (hooks) =>
      await engineFor(request).plan(request.params.id, { ...request.body, ...hooks })))
}
