import { BackupSchema } from '../../../types/index.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { CreateArguments, EmptyQuery } from '../../arguments/call-schemas.ts'
import { prefersAsync } from '../prefer-header.ts'
import {
  callerOf, collectionAddresses, locationOf, longRoute, type RouteContext, type Scope
} from '../route-context.ts'

const schema = {
  operationId: 'createBackup',
  tags: ['backup'],
  summary: 'Take a snapshot',
  description: 'Responds when the snapshot is completed, or immediately with `Prefer: respond-async`. A client that ' +
    'disconnects does not abort the run.',
  querystring: EmptyQuery,
  body: CreateArguments,
  response: {
    201: response('The finished backup; Location contains its address', BackupSchema),
    202: response('The running backup, with `Prefer: respond-async`', BackupSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.missingSchema,
    ...errorResponses.busy,
    ...errorResponses.unusable,
    ...errorResponses.full
  }
}

export function createRoute (scope: Scope, { engineFor, options, extend }: RouteContext): void {
  for (const { hide, ...address } of collectionAddresses(scope)) {
    scope.post('/', extend({ ...longRoute, ...address, schema: { ...schema, hide } }), async (request, reply) => {
      const run = await engineFor(request).beginCreate({ ...request.body, ...callerOf(request, options) })
      const location = locationOf(scope, run.backup.id)
      if (prefersAsync(request)) {
        return reply.code(202).headers({ location, 'preference-applied': 'respond-async' }).send(run.backup)
      }
      const backup = await run.finished
      return reply.code(201).headers({ location }).send(backup)
    })
  }
}
