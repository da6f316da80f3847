import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/**
 * A hook for routes whose response may take longer than `connectionTimeout` of the app, after which a connection
 * without traffic is closed. Removes the timeout of the connection until the response has ended.
 */
export function keepConnection ({ raw }: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const { socket } = raw
  // An injected request has no connection, and HTTP/2 has streams with timeouts of their own
  if (socket instanceof Socket && raw.httpVersionMajor === 1) {
    const { timeout = 0 } = socket
    socket.setTimeout(0)
    // Before the listener of Node.js, which sets the keep-alive timeout of the connection
    reply.raw.prependOnceListener('finish', () => socket.setTimeout(timeout))
  }
  done()
}
