import type { Readable } from 'node:stream'
import { Type } from 'typebox'
import { EmptyQuery } from '../../arguments/call-schemas.ts'
import { isOwnError } from '../../own-error.ts'
import { createEventStream } from '../event-stream.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const schema = {
  operationId: 'followBackups',
  tags: ['backup'],
  summary: 'Follow what happens on every replica, as server-sent events',
  description: 'The events of `fastify.backup.on`, each with its name and JSON. `Last-Event-ID` continues an earlier ' +
    'stream, on any replica; events may then come twice. The stream ends after an hour, and with the service.',
  querystring: EmptyQuery,
  response: {
    // Not `content`, which Swagger 2.0 does not have
    200: response('The events, as text/event-stream', Type.Unsafe<Readable>({ type: 'string' })),
    ...errorResponses.always
  }
}

/** Seconds after which another attempt may succeed when there are too many streams. */
const retryAfter = '30'
/** Milliseconds that a client has to read the end of its stream when the service shuts down. */
const endMs = 1000

export function eventsRoute (scope: Scope, { engineFor, extend, streams }: RouteContext): void {
  scope.get('/events', extend({ ...longRoute, exposeHeadRoute: false, schema }), async (request, reply) => {
    const stream = createEventStream(streams)
    const { body } = stream
    const closed = new AbortController()
    body.once('close', () => { closed.abort() })
    // Fastify destroys the body when the client disconnects, but not before it is sent, nor when an onSend hook throws
    reply.raw.once('close', () => { body.destroy() })
    const lastId = String(request.headers['last-event-id'] ?? '')
    const following = engineFor(request).follow({
      // A malformed one is of another service, or damaged; a browser could not do anything about an error
      after: /^\d{1,20}$/.test(lastId) ? BigInt(lastId) : null,
      signal: closed.signal,
      onBatch: stream.write,
      onEnd () {
        stream.end()
        // Otherwise a client that does not read would delay the shutdown
        setTimeout(() => { reply.raw.destroy() }, endMs).unref()
      }
    })
    await following.catch((error: unknown) => {
      body.destroy()
      if (isOwnError(error, 'TOO_MANY_STREAMS')) reply.header('retry-after', retryAfter)
      throw error
    })
    // The app's connectionTimeout may be shorter than the time between two events
    reply.raw.setTimeout(0)
    return reply.headers({ 'x-accel-buffering': 'no' }).type('text/event-stream').send(body)
  })
}
