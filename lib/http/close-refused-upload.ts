import type { FastifyReply, FastifyRequest } from 'fastify'

/** Milliseconds in which a client may take notice that it was refused. */
const lingerMs = 1000

/**
 * An `onSend` hook: whoever was refused in the middle of sending is listened to for a moment, and then no more. By itself Node reads the rest of the body
 * and drops it for as long as the client goes on (`requestTimeout`, five minutes by default); with `connection: close`, which Fastify sets for a
 * body that is too large, it closes at once, which resets the connection, and the answer is lost on its way to who still sends (RFC 9112, 9.6).
 */
export async function hangUpOnSender ({ raw, server: app }: FastifyRequest, reply: FastifyReply): Promise<void> {
  // An injected request has no `complete`, and one stream of HTTP/2 does not hold up the others
  if (reply.statusCode < 400 || raw.complete !== false || raw.httpVersionMajor !== 1) return
  reply.removeHeader('connection')
  const { socket } = raw
  reply.raw.once('finish', () => {
    const timer = setTimeout(() => { if (!raw.complete) socket.destroy() }, lingerMs).unref()
    raw.once('end', () => {
      clearTimeout(timer)
      // Whoever then is idle would be waited for, until its keep-alive ends
      if (!app.server.listening) socket.end()
    })
  })
}
