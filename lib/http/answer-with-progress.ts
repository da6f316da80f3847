import { once } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LongCall, Progress } from '../../types/index.ts'
import { reportError } from './error-response.ts'
import { createEventBody } from './event-stream.ts'

/** Milliseconds between two events about the progress of a call. */
const reportInterval = 200

/** How the answer to a call that reports its progress may differ, for the description of its route. */
export const progressDescription = 'With `Accept: text/event-stream`, the answer is a stream of server-sent events: ' +
  '`progress` with a Progress, and at the end `completed` with the result, or `failed` with the body of an error.'

/**
 * Answers with the result of a call; or, to a client that accepts `text/event-stream`, with server-sent events (HTML
 * standard, 9.2). An error before the first report is answered with its status.
 *
 * @param heartbeatMs between two comments that show proxies and the client that the connection is alive
 * @param call its signal aborts when the client has disconnected
 */
export async function answerWithProgress<T> (
  request: FastifyRequest, reply: FastifyReply, heartbeatMs: number, call: (hooks: LongCall) => Promise<T>
): Promise<T> {
  const gone = new AbortController()
  reply.raw.once('close', () => { gone.abort() })
  const { signal } = gone
  if (!acceptsEvents(request)) return await call({ signal })

  const { body, push, end } = createEventBody(heartbeatMs)
  const send = (event: string, data: unknown): void => { push(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`) }
  const begun = new AbortController()
  const begins = once(begun.signal, 'abort')
  const reports = createReports((progress) => {
    begun.abort()
    // One that the client is too slow to read now is of no use to it later
    if (body.readableLength === 0) send('progress', progress)
  })
  const called = call({ signal, onProgress: reports.add }).finally(reports.end)
  try {
    await Promise.race([begins, called])
    signal.throwIfAborted()
  } catch {
    // Nothing else would end the heartbeat of a body that is not sent
    body.destroy()
    return await called
  }
  called.then((result) => { send('completed', result) }, (error: unknown) => {
    send('failed', reportError(error, request))
  }).finally(end)
  // Fastify destroys the body when the client disconnects, but not before it is sent, nor when an onSend hook throws
  reply.raw.once('close', () => { body.destroy() })
  return await reply.headers({ 'x-accel-buffering': 'no' }).type('text/event-stream').send(body) as never
}

const acceptsEvents = ({ headers: { accept = '' } }: FastifyRequest): boolean =>
  accept.toLowerCase().includes('text/event-stream')

/** Passes on the first progress at once, and later the newest one of each interval. */
function createReports (report: (progress: Progress) => void): { add: (progress: Progress) => void, end: () => void } {
  let newest: Progress | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function pass (): void {
    timer = undefined
    if (newest === undefined) return
    report(newest)
    newest = undefined
    timer = setTimeout(pass, reportInterval).unref()
  }

  return {
    add (progress) {
      newest = progress
      if (timer === undefined) pass()
    },
    end () { clearTimeout(timer) }
  }
}
