import { createParser } from 'eventsource-parser'

export interface EventHandlers {
  onEvent: (name: string, data: any) => void
  /**
   * Whether events arrive, when that changes. Without them the caller polls. After `true` it reads again what it has
   * read, because it may have missed events.
   */
  onConnection: (isConnected: boolean) => void
}

/** Requests the stream. `lastId` is empty, or the id of the last event. */
export type OpenStream = (lastId: string, signal: AbortSignal) => Promise<Response>

export interface Pauses {
  /** Without a byte for so long, events may be late: the service sends a heartbeat every 15 s. */
  quietMs: number
  /** Without a byte for so long, the stream is lost: three heartbeats. */
  silenceMs: number
  /** Before the first attempt after a loss. Twice as long after each further one. */
  firstRetryMs: number
  lastRetryMs: number
  /** After an answer that the stream is not allowed or does not exist. */
  refusedRetryMs: number
}

const defaultPauses: Pauses = {
  quietMs: 20_000, silenceMs: 45_000, firstRetryMs: 1000, lastRetryMs: 60_000, refusedRetryMs: 300_000
}

/**
 * Follows the event stream until the signal aborts, and reconnects where it ended. A stream that begins counts only
 * once its first bytes have arrived, because a proxy may hold them back. Never rejects.
 */
export async function followEvents (
  open: OpenStream, { onEvent, onConnection }: EventHandlers, signal: AbortSignal, pauses: Pauses = defaultPauses
): Promise<void> {
  let lastId = ''
  let isConnected = false
  const report = (isNow: boolean): void => {
    if (isNow !== isConnected && !signal.aborted) onConnection(isNow)
    isConnected = isNow
  }
  for (let losses = 0; !signal.aborted; losses++) {
    const begun = performance.now()
    const status = await attempt(signal, pauses, {
      open: (attemptSignal) => open(lastId, attemptSignal),
      onBytes: report,
      onEvent (id, name, data) {
        lastId = id ?? lastId
        onEvent(name, data)
      }
    })
    report(false)
    // A proxy that cuts every stream after a moment must not lead to a request each second
    if (performance.now() - begun > pauses.lastRetryMs) losses = 0
    await waitFor(retryMs(status, losses, pauses), signal)
  }
}

/** With up to a half less by chance, so that many pages do not return to a service at the same moment. */
function retryMs (status: number, losses: number, { firstRetryMs, lastRetryMs, refusedRetryMs }: Pauses): number {
  const longest = [401, 403, 404].includes(status) ? refusedRetryMs : Math.min(firstRetryMs * 2 ** losses, lastRetryMs)
  return longest * (1 - Math.random() / 2)
}

interface Attempt {
  open: (signal: AbortSignal) => Promise<Response>
  onBytes: (areArriving: boolean) => void
  onEvent: (id: string | undefined, name: string, data: unknown) => void
}

/** @returns the status of a refusal, or 0 */
async function attempt (signal: AbortSignal, pauses: Pauses, { open, onBytes, onEvent }: Attempt): Promise<number> {
  const stopping = new AbortController()
  const stop = (): void => { stopping.abort() }
  signal.addEventListener('abort', stop)
  try {
    const { body } = await within(pauses.silenceMs, stop, open(stopping.signal))
    if (body === null) return 0
    const reader = body.getReader()
    const parser = createParser({
      onEvent ({ id, event, data }) { onEvent(id, event ?? 'message', JSON.parse(data)) }
    })
    const decoder = new TextDecoder()
    while (true) {
      const reading = within(pauses.silenceMs, stop, reader.read())
      const { done, value } = await within(pauses.quietMs, () => { onBytes(false) }, reading)
      if (done) return 0
      onBytes(true)
      parser.feed(decoder.decode(value, { stream: true }))
    }
  } catch (error) {
    return Number(Reflect.get(Object(error), 'status') ?? 0)
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** Calls `onLate` when the promise has not settled after so many milliseconds. */
async function within<T> (ms: number, onLate: () => void, promise: Promise<T>): Promise<T> {
  const timer = setTimeout(onLate, ms)
  return await promise.finally(() => { clearTimeout(timer) })
}

function waitFor (ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
