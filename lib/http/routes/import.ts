import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { BackupSchema } from '../../../types/index.ts'
import { Aborted, ImportEncoded } from '../../errors.ts'
import { answer, refusals } from '../response-schemas.ts'
import { NoQuery } from '../../arguments/call-schemas.ts'
import { callerOf, locationOf, longRoute, type RouteContext, type Scope } from '../route-context.ts'
import { compileValidator } from '../validation.ts'

const schema = {
  operationId: 'importBackup',
  tags: ['backup'],
  summary: 'Take in a snapshot from elsewhere',
  description: 'The body is the file as it was downloaded, of any size. It is checked while it arrives, and kept only when it is whole and sound.',
  querystring: NoQuery,
  body: Type.Unsafe<unknown>({ type: 'object', description: 'A snapshot file' }),
  response: {
    201: answer('The backup, with an id of its own; its address is in Location', BackupSchema),
    ...refusals.always,
    ...refusals.body,
    ...refusals.unusable,
    ...refusals.full
  }
}

/** Before the first byte is read, which would only be found to be no snapshot. */
const refuseEncoded = async ({ headers }: FastifyRequest): Promise<void> => {
  if (!/^(?:identity)?$/i.test(headers['content-encoding'] ?? '')) throw new ImportEncoded()
}

/** In a scope of its own, where bodies are streams. */
export function importRoute (scope: Scope, context: RouteContext): void {
  scope.register(async (child: Scope) => {
    child.removeAllContentTypeParsers()
    // What an HTML form can send is not among them
    child.addContentTypeParser(['application/json', 'application/octet-stream'], (request: unknown, payload: IncomingMessage, done: (error: null, body: IncomingMessage) => void) => done(null, payload))
    addRoute(child, context)
  })
}

function addRoute (scope: Scope, { engineFor, options, stallTimeoutMs, requireRestoreAuth }: RouteContext): void {
  scope.post('/import', {
    ...longRoute,
    schema,
    // A stream is no value to check
    validatorCompiler: (route) => route.httpPart === 'body' ? () => true : compileValidator(route),
    onRequest: [requireRestoreAuth, refuseEncoded]
  }, async (request, reply) => {
    const body = request.body instanceof Readable ? request.body : Readable.from([])
    reply.raw.setTimeout(stallTimeoutMs, () => {
      // What nobody reads yet, because others have their turn, or what is all here, stands still without the client's doing
      if (body.readableFlowing !== null && !request.raw.complete) body.destroy(new Aborted('the upload stood still'))
      else reply.raw.setTimeout(stallTimeoutMs)
    })
    try {
      const backup = await engineFor(request).import(body, callerOf(request, options))
      return await reply.code(201).headers({ location: locationOf(scope, backup.id) }).send(backup)
    } catch (error) {
      // Node leaves what is not read of a body in the way of the answer (`resOnFinish` passes over one that was begun)
      body.removeAllListeners('readable')
      body.resume()
      throw error
    }
  })
}
