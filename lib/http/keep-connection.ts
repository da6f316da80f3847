import type { Http2ServerRequest, Http2Session } from 'node:http2'
import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/**
 * A hook for routes whose response may take longer than `connectionTimeout` or `http2SessionTimeout` of the app, after
 * which a connection without traffic is closed. Removes the timeout of the connection until the response has ended.
 */
export function keepConnection ({ raw }: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (raw.httpVersionMajor === 2) keepSession(Reflect.get(raw, 'stream') as Http2ServerRequest['stream'], reply)
  else keepSocket(raw.socket, reply)
  done()
}

function keepSocket (socket: unknown, reply: FastifyReply): void {
  // An injected request has no connection
  if (!(socket instanceof Socket)) return
  const { timeout = 0 } = socket
  socket.setTimeout(0)
  // Before the listener of Node.js, which sets the keep-alive timeout of the connection
  reply.raw.prependOnceListener('finish', () => socket.setTimeout(timeout))
}

/** The sessions that long requests use, how many of them, and the timeout of the session. */
const kept = new WeakMap<Http2Session, { requests: number, timeout: number }>()

/** The requests of an HTTP/2 session run at the same time. */
function keepSession ({ session }: Http2ServerRequest['stream'], reply: FastifyReply): void {
  if (session === undefined) return
  const { requests, timeout } = kept.get(session) ?? { requests: 0, timeout: Number(Reflect.get(session, 'timeout')) }
  kept.set(session, { requests: requests + 1, timeout })
  session.setTimeout(0)
  reply.raw.once('close', () => {
    const left = Number(kept.get(session)?.requests) - 1
    kept.set(session, { requests: left, timeout })
    if (left > 0) return
    kept.delete(session)
    session.setTimeout(timeout)
  })
}
