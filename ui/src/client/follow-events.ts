import { createParser } from 'eventsource-parser'
import { ApiError, type Api } from './api.ts'

export interface EventHandlers {
  onEvent: (name: string, data: any) => void
  /** Whether events arrive. Without them the caller polls. */
  onConnection: (isConnected: boolean) => void
}

/** How long without a byte until the stream counts as lost: three heartbeats of the service. */
const silenceMs = 45_000
const firstRetryMs = 1000
const lastRetryMs = 30_000

/** Follows the event stream until the signal aborts, and reconnects where it ended. Never rejects. */
export async function followEvents (api: Api, { onEvent, onConnection }: EventHandlers, signal: AbortSignal) {
  let lastId = ''
  let retryMs = firstRetryMs
  while (!signal.aborted) {
    const attempt = new AbortController()
    const stop = (): void => { attempt.abort() }
    signal.addEventListener('abort', stop)
    try {
      const response = await api.events(lastId, attempt.signal)
      onConnection(true)
      retryMs = firstRetryMs
      await readEvents(response, attempt, (id, name, data) => {
        lastId = id ?? lastId
        onEvent(name, data)
      })
    } catch (error) {
      // Without the right, or without the route, another attempt fails, too
      if (error instanceof ApiError && [401, 403, 404].includes(error.status)) break
    } finally {
      signal.removeEventListener('abort', stop)
      attempt.abort()
    }
    if (signal.aborted) break
    onConnection(false)
    await wait(retryMs, signal)
    retryMs = Math.min(retryMs * 2, lastRetryMs)
  }
  onConnection(false)
}

async function readEvents (
  response: Response, attempt: AbortController, onEvent: (id: string | undefined, name: string, data: unknown) => void
): Promise<void> {
  const parser = createParser({
    onEvent ({ id, event, data }) { onEvent(id, event ?? 'message', JSON.parse(data)) }
  })
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  if (reader === undefined) return
  while (true) {
    const timer = setTimeout(() => { attempt.abort() }, silenceMs)
    const { done, value } = await reader.read().finally(() => { clearTimeout(timer) })
    if (done) return
    parser.feed(decoder.decode(value, { stream: true }))
  }
}

function wait (ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    }, { once: true })
  })
}
