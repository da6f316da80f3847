import { RestorePlanSchema } from '../../../types/index.ts'
import { answer, refusals } from '../response-schemas.ts'
import { IdParams, NoQuery, PlanArguments } from '../../arguments/call-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'planRestore',
  tags: ['backup'],
  summary: 'Tell what a restore would do',
  description: 'Changes nothing, and is allowed also where restores are switched off.',
  params: IdParams,
  querystring: NoQuery,
  body: PlanArguments,
  response: {
    200: answer('The plan', RestorePlanSchema),
    ...refusals.always,
    ...refusals.body,
    ...refusals.missing,
    ...refusals.busy,
    ...refusals.gone,
    ...refusals.unusable
  }
}

export function planRoute (scope: Scope, { engineFor }: RouteContext): void {
  scope.post('/:id/plan', { ...longRoute, schema }, (request) => engineFor(request).plan(request.params.id, request.body))
}
