import type { FastifyReply, FastifyRequest } from 'fastify'

/** How long a client may take to read the error response, in milliseconds. */
const lingerMs = 1000

/**
 * An `onSend` hook that closes the connection of a client that is still sending the body of a refused request,
 * `lingerMs` after the response. Without it, Node.js reads and discards the rest of the body for as long as the
 * client sends (`requestTimeout`, five minutes by default). With `connection: close`, which Fastify sets for a body
 * that is too large, Node.js closes the connection at once; that resets it, and a client that is still sending loses
 * the response (RFC 9112, 9.6).
 */
export async function closeRefusedUpload ({ raw, server: app }: FastifyRequest, reply: FastifyReply): Promise<void> {
  // An injected request has no `complete`. HTTP/2 needs none of this, because a stream does not block the others
  if (reply.statusCode < 400 || raw.complete !== false || raw.httpVersionMajor !== 1) return
  reply.removeHeader('connection')
  const { socket } = raw
  reply.raw.once('finish', () => {
    const timer = setTimeout(() => { if (!raw.complete) socket.destroy() }, lingerMs).unref()
    raw.once('end', () => {
      clearTimeout(timer)
      // While the server closes, it would wait for this idle connection until its keep-alive timeout
      if (!app.server.listening) socket.end()
    })
  })
}
