import t from 'tap'
import { type TestScope } from '../support/database.ts'
import { followEvents, type Pauses } from '../../ui/src/client/follow-events.ts'

/** Long ones never end in a test. */
const long = 1e8
const pauses: Pauses = { quietMs: long, silenceMs: long, firstRetryMs: 1, lastRetryMs: long, refusedRetryMs: long }

/**
 * Streams that the test feeds, and what their follower reports.
 * @param failures of the first attempts
 */
function useStreams (t: TestScope, changes: Partial<Pauses> = {}, failures: Error[] = []) {
  const reports: string[] = []
  const waiting: Array<{ count: number, resolve: () => void }> = []
  const report = (text: string): void => {
    reports.push(text)
    for (const { count, resolve } of waiting) if (reports.length >= count) resolve()
  }
  const stopping = new AbortController()
  const streams: Array<ReadableStreamDefaultController<Uint8Array>> = []
  const following = followEvents(async (lastId, signal) => {
    report(`open ${lastId}`)
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    const body = new ReadableStream<Uint8Array>({
      start (controller) {
        streams.push(controller)
        signal.addEventListener('abort', () => { controller.error(new DOMException('Aborted', 'AbortError')) })
      }
    })
    return new Response(body)
  }, {
    onEvent: (name, data) => { report(`${name} ${JSON.stringify(data)}`) },
    onConnection: (isConnected) => { report(isConnected ? 'connected' : 'lost') }
  }, stopping.signal, { ...pauses, ...changes })
  t.after(async () => {
    stopping.abort()
    await following
  })
  return {
    reports,
    send: (text: string) => { streams.at(-1)?.enqueue(new TextEncoder().encode(text)) },
    end: () => { streams.at(-1)?.close() },
    /** Waits for so many reports. */
    async until (count: number): Promise<void> {
      if (reports.length < count) await new Promise<void>((resolve) => { waiting.push({ count, resolve }) })
    }
  }
}

t.test('a stream counts as connected once its first bytes have arrived, and is continued', async (t) => {
  const { reports, send, end, until } = useStreams(t)
  await until(1)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(reports, ['open '], 'not before')
  send('retry: 2000\n\n')
  await until(2)
  send('id: 7\nevent: backup:started\ndata: {"id":1}\n\n')
  await until(3)
  end()
  await until(5)
  t.strictSame(reports, ['open ', 'connected', 'backup:started {"id":1}', 'lost', 'open 7'])
})

t.test('a stream without bytes is lost for the caller, who polls, until bytes arrive again', async (t) => {
  const { reports, send, until } = useStreams(t, { quietMs: 20 })
  await until(1)
  send(': still here\n\n')
  await until(3)
  send(': still here\n\n')
  await until(4)
  t.strictSame(reports.slice(0, 4), ['open ', 'connected', 'lost', 'connected'])
})

t.test('a stream that is silent for long is opened again', async (t) => {
  const { reports, send, until } = useStreams(t, { silenceMs: 20 })
  await until(1)
  send(': still here\n\n')
  await until(4)
  t.strictSame(reports.slice(0, 4), ['open ', 'connected', 'lost', 'open '])
})

t.test('after a refusal it is tried again, but later', async (t) => {
  const refused = Object.assign(new Error('Refused'), { status: 403 })
  const { reports, until } = useStreams(t, { refusedRetryMs: 1, firstRetryMs: long }, [refused])
  await until(2)
  t.strictSame(reports, ['open ', 'open '], 'it was not retried as after a loss, which would take long here')
})

t.test('each further loss doubles the pause', async (t) => {
  const delays: number[] = []
  const { setTimeout } = globalThis
  const { random } = Math
  t.after(() => {
    Object.assign(globalThis, { setTimeout })
    Math.random = random
  })
  Math.random = () => 0
  Object.assign(globalThis, {
    setTimeout (callback: () => void, ms: number) {
      if (ms === long) return setTimeout(callback, ms)
      delays.push(ms)
      return setTimeout(callback, 0)
    }
  })
  const failures = Array.from({ length: 5 }, () => new Error('no answer'))
  const { until } = useStreams(t, { firstRetryMs: 1000, lastRetryMs: 5000 }, failures)
  await until(6)
  t.strictSame(delays, [1000, 2000, 4000, 5000, 5000])
})
