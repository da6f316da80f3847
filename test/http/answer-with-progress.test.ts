import { once } from 'node:events'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Busy, ShuttingDown } from '../../lib/errors.ts'
import type { LongCall, Progress, Verification } from '../../types/index.ts'
import { createGate } from '../support/storage-double.ts'
import { until } from '../support/until.ts'
import { buildApp, type BuildOptions } from './build-app.ts'
import { samplePlan } from './engine-double.ts'

const base = '/admin/backup'
const verified: Verification = { ok: false, problems: ['a\n\nb'] }

const progress: Progress = {
  phase: 'verify',
  table: 'users',
  tables: 2,
  tablesDone: 1,
  rows: 10,
  rowsTotal: 20,
  bytes: 100,
  bytesTotal: 200,
  estimated: false,
  percent: 50,
  etaMs: null
}

/** A listening app, and the path of a verification that is done by `verify`. */
async function useVerification (
  t: Test, verify: (hooks: LongCall) => Promise<Verification>, options: BuildOptions = {}
): Promise<{ app: FastifyInstance, path: string }> {
  const { app, engine } = await buildApp(t, options)
  engine.verify = async (_id, hooks = {}) => await verify(hooks)
  await app.listen()
  return { app, path: `${base}/${engine.put().id}/verify` }
}

interface Answer {
  response: Response
  text: () => string
  events: () => Array<[name: string, data: unknown]>
  ended: Promise<void>
}

/** Calls the route as a client that accepts events. */
async function call (app: FastifyInstance, path: string): Promise<Answer> {
  const response = await fetch(new URL(path, app.listeningOrigin), {
    method: 'POST', headers: { accept: 'Text/Event-Stream, application/json' }
  })
  let text = ''
  async function read (): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  }
  const events = (): Array<[string, unknown]> => [...text.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)]
    .map(([, name = '', data = '']) => [name, JSON.parse(data)])
  return { response, text: () => text, events, ended: read() }
}

t.test('a client that accepts events gets the progress and the result', async (t) => {
  const gate = createGate()
  const { app, path } = await useVerification(t, async ({ onProgress }) => {
    for (let rows = 0; rows <= 100; rows++) onProgress?.({ ...progress, rows })
    await gate.pass()
    return verified
  })
  const { response, events, ended } = await call(app, path)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'text/event-stream')
  t.equal(response.headers.get('x-accel-buffering'), 'no')
  await until(() => events().length === 2)
  gate.open()
  await ended
  t.strictSame(events(), [
    ['progress', { ...progress, rows: 0 }], ['progress', { ...progress, rows: 100 }], ['completed', verified]
  ], 'of many reports, the first one and the newest one of each interval are sent')
})

t.test('without a report, the result is an event, and an error has its status', async (t) => {
  const { app, path } = await useVerification(t, async () => verified)
  const { events, ended } = await call(app, path)
  await ended
  t.strictSame(events(), [['completed', verified]])

  const { app: failing, path: failingPath } = await useVerification(t, async () => { throw new Busy('it is restored') })
  const { response } = await call(failing, failingPath)
  t.equal(response.status, 409)
})

t.test('an error after a report is the last event, and nothing of an unexpected error is shown', async (t) => {
  let error: Error = new ShuttingDown()
  const { app, path } = await useVerification(t, async ({ onProgress }) => {
    onProgress?.(progress)
    await Promise.resolve()
    throw error
  })
  const lastEvent = async (): Promise<[string, unknown] | undefined> => {
    const { events, ended } = await call(app, path)
    await ended
    return events()[1]
  }
  const [name, body] = await lastEvent() ?? []
  t.equal(name, 'failed')
  t.match(body, { statusCode: 503, code: 'FST_BACKUP_SHUTTING_DOWN' })
  error = new Error('a row of the table')
  const [, hidden] = await lastEvent() ?? []
  t.match(hidden, { statusCode: 500, message: /unexpected/ })
})

t.test('comments show that the connection is alive, while there is no progress', async (t) => {
  const gate = createGate()
  const { app, path } = await useVerification(t, async ({ onProgress }) => {
    onProgress?.(progress)
    await gate.pass()
    return verified
  }, { streams: { heartbeatMs: 300, lifetimeMs: 1000, bufferBytes: 1000 } })
  const { text, events, ended } = await call(app, path)
  await until(() => text().endsWith(': still here\n\n'))
  t.equal(events().length, 1, 'no progress is sent twice')
  gate.open()
  await ended
})

t.test('a client that disconnects ends a plan, and no verification', async (t) => {
  const { app, engine } = await buildApp(t)
  const signals: AbortSignal[] = []
  engine.plan = async (_id, { signal, onProgress } = {}) => {
    onProgress?.(progress)
    if (signal !== undefined) signals.push(signal)
    return await new Promise(() => {})
  }
  engine.verify = async (_id, hooks = {}) => {
    t.notOk('signal' in hooks)
    return verified
  }
  await app.listen()
  const { id } = engine.put()
  const { port, hostname } = new URL(app.listeningOrigin)
  for (const accept of ['application/json', 'text/event-stream']) {
    const socket = connect(Number(port), hostname)
    socket.write(`POST ${base}/${id}/plan HTTP/1.1\r\nhost: a\r\naccept: ${accept}\r\ncontent-length: 0\r\n\r\n`)
    await until(() => signals.length === 1)
    const [signal] = signals.splice(0)
    t.equal(signal?.aborted, false)
    const aborted = once(signal as AbortSignal, 'abort')
    socket.destroy()
    await aborted
  }
  const { events, ended } = await call(app, `${base}/${id}/verify`)
  await ended
  t.equal(events().length, 1)
})

t.test('no stream is begun for a client that has gone before the first report', async (t) => {
  const gate = createGate()
  const signals: AbortSignal[] = []
  const sent: unknown[] = []
  const { app, engine } = await buildApp(t, {
    before: (app) => app.addHook('onSend', async (_request, _reply, payload) => { sent.push(payload) })
  })
  engine.plan = async (id, { signal, onProgress } = {}) => {
    if (signal !== undefined) signals.push(signal)
    await gate.pass()
    onProgress?.(progress)
    await Promise.resolve()
    return samplePlan(id)
  }
  await app.listen()
  const { port, hostname } = new URL(app.listeningOrigin)
  const socket = connect(Number(port), hostname)
  socket.write(`POST ${base}/${engine.put().id}/plan HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n` +
    'content-length: 0\r\n\r\n')
  await until(() => signals.length === 1)
  const aborted = once(signals[0] as AbortSignal, 'abort')
  socket.destroy()
  await aborted
  gate.open()
  await until(() => sent.length === 1)
  t.type(sent[0], 'string', 'the answer is JSON: nothing would end the heartbeat of a stream')
})

t.test('the heartbeat of a call that is refused before its first report ends', async (t) => {
  const heartbeatMs = 12_345
  const begun: unknown[] = []
  const cleared: unknown[] = []
  const { setInterval: begin, clearInterval: clear } = globalThis
  t.capture(globalThis, 'setInterval', (...[action, ms]: Parameters<typeof begin>) => {
    const timer = begin(action, ms)
    if (ms === heartbeatMs) begun.push(timer)
    return timer
  })
  t.capture(globalThis, 'clearInterval', (timer: NodeJS.Timeout) => {
    cleared.push(timer)
    clear(timer)
  })
  const { app, path } = await useVerification(t, async () => { throw new Busy('it is restored') }, {
    streams: { heartbeatMs, lifetimeMs: 1000, bufferBytes: 1000 }
  })
  const { response, ended } = await call(app, path)
  t.equal(response.status, 409)
  await ended
  t.equal(begun.length, 1)
  await until(() => cleared.includes(begun[0]), { limitMs: 5000 })
})
