import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fastifyCompress from '@fastify/compress'
import fastifyCors from '@fastify/cors'
import fastifyHelmet from '@fastify/helmet'
import { EventSource } from 'eventsource'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { DatabaseUnavailable, TooManyStreams } from '../../lib/errors.ts'
import backup from '../../lib/index.ts'
import type { Follower } from '../../lib/feed/event-feed.ts'
import { testSchema } from '../support/database.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { until } from '../support/until.ts'
import { inWorkers } from '../support/worker.ts'
import { buildApp, type BuildOptions } from './build-app.ts'
import type { EngineDouble } from './engine-double.ts'

const url = '/admin/backup/events'

interface Stream { response: Response, text: () => string, ended: Promise<void> }

/** Reads a stream of a listening app. */
async function open (app: FastifyInstance, headers: Record<string, string> = {}): Promise<Stream> {
  const response = await fetch(new URL(url, app.listeningOrigin), { headers })
  const decoder = new TextDecoder()
  let text = ''
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk)
  }
  return { response, text: () => text, ended: read() }
}

/** Requests a stream and reads nothing. */
function requestSilently (t: Test, app: FastifyInstance): Socket {
  const { port, hostname } = new URL(app.listeningOrigin)
  const socket = connect(Number(port), hostname)
  t.after(() => { socket.destroy() })
  socket.pause()
  socket.write(`GET ${url} HTTP/1.1\r\nhost: a\r\n\r\n`)
  return socket
}

/** A listening app on an engine double, and the followers of its streams. */
async function listen (
  t: Test, options: BuildOptions = {}
): Promise<{ app: FastifyInstance, engine: EngineDouble, followers: Follower[] }> {
  const { app, engine } = await buildApp(t, options)
  const followers: Follower[] = []
  engine.follow = async (follower) => {
    followers.push(follower)
    follower.onBatch({ events: [], position: '7' })
  }
  await app.listen({ port: 0 })
  return { app, engine, followers }
}

t.test('the response is a stream of events, which proxies and caches pass on', async (t) => {
  const { app, followers } = await listen(t)
  const stream = await open(app)
  t.equal(stream.response.status, 200)
  t.match(Object.fromEntries(stream.response.headers), {
    'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no'
  })
  const [follower] = followers
  follower?.onBatch({
    events: [{ name: 'backup:started', data: { id: 'a\nb' } }, { name: 'backup:failed', data: { id: 'c' } }],
    position: '9'
  })
  follower?.onBatch({ events: [{ name: 'backup:progress', data: { rows: 1 } }], position: null })
  follower?.onEnd()
  follower?.onBatch({ events: [{ name: 'backup:progress', data: { rows: 2 } }], position: null })
  follower?.onEnd()
  await stream.ended
  t.equal(stream.text(), [
    'retry: 2000\n\n',
    'id: 7\n\n',
    'id: 7\nevent: backup:started\ndata: {"id":"a\\nb"}\n\n',
    'id: 9\nevent: backup:failed\ndata: {"id":"c"}\n\n',
    'id: 9\nevent: backup:progress\ndata: {"rows":1}\n\n'
  ].join(''), 'the position of a batch is the id of its last event')
  follower?.onBatch({ events: [], position: '10' })
  t.ok(follower?.signal.aborted)
})

t.test('an EventSource reads the events, and reconnects after the last one', async (t) => {
  const { app, followers } = await listen(t)
  const source = new EventSource(new URL(url, app.listeningOrigin))
  t.after(() => { source.close() })
  const received: unknown[] = []
  for (const name of ['backup:started', 'backup:failed', 'backup:progress']) {
    source.addEventListener(name, ({ data }) => { received.push([name, JSON.parse(String(data))]) })
  }
  await once(source, 'open')
  const [first] = followers
  first?.onBatch({ events: [{ name: 'backup:started', data: { id: 'a\nb' } }], position: '8' })
  first?.onBatch({ events: [{ name: 'backup:progress', data: { id: 'c' } }], position: null })
  first?.onBatch({ events: [{ name: 'backup:failed', data: { id: 'd' } }], position: '9' })
  first?.onEnd()
  await once(source, 'open')
  t.strictSame(received, [
    ['backup:started', { id: 'a\nb' }], ['backup:progress', { id: 'c' }], ['backup:failed', { id: 'd' }]
  ])
  t.strictSame(followers.map(({ after }) => after), [null, 9n])
  followers[1]?.onEnd()
})

t.test('Last-Event-ID continues after that position', async (t) => {
  const { app, followers } = await listen(t)
  for (const id of ['12', '18446744073709551615', '', 'x', '-1', '123456789012345678901']) {
    await open(app, { 'last-event-id': id })
  }
  await open(app)
  t.same(followers.map(({ after }) => after), [12n, 18446744073709551615n, null, null, null, null, null])
  for (const { onEnd } of followers) onEnd()
})

t.test('comments show that the connection is alive, and a stream ends after its lifetime', async (t) => {
  const { app, followers } = await listen(t, { streams: { heartbeatMs: 20, lifetimeMs: 200, bufferBytes: 1000 } })
  const stream = await open(app)
  await stream.ended
  t.match(stream.text(), /^retry: 2000\n\nid: 7\n\n(: still here\n\n)+$/)
  t.ok(followers[0]?.signal.aborted)
})

t.test('a client that disconnects no longer follows', async (t) => {
  const { app, followers } = await listen(t)
  const socket = requestSilently(t, app)
  await until(() => followers.length === 1)
  t.equal(followers[0]?.signal.aborted, false)
  socket.destroy()
  await until(() => followers[0]?.signal.aborted === true)
})

t.test('a client that does not read is dropped', async (t) => {
  const { app, followers } = await listen(t, {
    streams: { heartbeatMs: 60_000, lifetimeMs: 60_000, bufferBytes: 100_000 }
  })
  requestSilently(t, app)
  await until(() => followers.length === 1)
  const data = 'x'.repeat(1_000_000)
  await until(() => {
    followers[0]?.onBatch({ events: [{ name: 'backup:progress', data }], position: null })
    return followers[0]?.signal.aborted === true
  })
})

t.test('a client that does not read delays the shutdown by a second only', async (t) => {
  const { app, followers } = await listen(t, {
    streams: { heartbeatMs: 60_000, lifetimeMs: 60_000, bufferBytes: 100_000_000 }
  })
  requestSilently(t, app)
  await until(() => followers.length === 1)
  followers[0]?.onBatch({ events: [{ name: 'backup:progress', data: 'x'.repeat(50_000_000) }], position: null })
  followers[0]?.onEnd()
  const start = performance.now()
  await app.close()
  t.ok(performance.now() - start < 4000)
})

t.test('too many streams are refused with a time to wait, and other errors without', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.fail('follow', new TooManyStreams())
  const refused = await app.inject(url)
  t.equal(refused.statusCode, 503)
  t.match(refused.headers, { 'retry-after': '30', 'content-type': /json/, 'cache-control': 'no-store' })
  t.equal(refused.json().code, 'FST_BACKUP_TOO_MANY_STREAMS')
  engine.fail('follow', new DatabaseUnavailable('down'))
  const down = await app.inject(url)
  t.equal(down.statusCode, 503)
  t.equal(down.headers['retry-after'], undefined)
})

t.test('it needs authentication, has no HEAD, and accepts no query', async (t) => {
  const { app } = await buildApp(t, { options: { auth: [async () => { throw new Error('no') }] } })
  t.equal((await app.inject(url)).statusCode, 401)
  const { app: open } = await buildApp(t)
  t.match((await open.inject({ method: 'HEAD', url })).statusCode, 400, 'it is no id of a backup')
  t.equal((await open.inject(`${url}?schema=a`)).statusCode, 400)
})

t.test('an app whose onSend hook fails does not keep the stream', async (t) => {
  const { app, followers } = await listen(t, {
    before: (app) => {
      app.addHook('onSend', async (request) => {
        if (request.headers.fail !== undefined) throw new Error('hook')
      })
    }
  })
  const stream = await open(app, { fail: '1' })
  t.equal(stream.response.status, 500)
  await stream.ended
  await until(() => followers[0]?.signal.aborted === true)
})

/** A replica with plugins that change responses. */
async function useReplica (t: Test, { url, directory }: Place): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(async () => { await app.close() })
  await app.register(fastifyCompress, { global: true, threshold: 0 })
  await app.register(fastifyCors, { origin: 'https://admin.example' })
  await app.register(fastifyHelmet)
  await app.register(backup, {
    enabled: true, connection: url, schema: testSchema, storagePath: directory, auth: false, worker: inWorkers
  })
  await app.listen({ port: 0 })
  return app
}

t.test('a stream on one replica shows a backup of another, and ends with the app', async (t) => {
  const place = await usePlace(t)
  const one = await useReplica(t, place)
  const two = await useReplica(t, place)
  const stream = await open(one, { origin: 'https://admin.example', 'accept-encoding': 'gzip' })
  t.match(Object.fromEntries(stream.response.headers), {
    'content-type': 'text/event-stream',
    'access-control-allow-origin': 'https://admin.example',
    'x-content-type-options': 'nosniff'
  })
  t.equal(stream.response.headers.get('content-encoding'), null)
  const made = await two.backup.create()
  await until(() => stream.text().includes('backup:completed'))
  const start = performance.now()
  await one.close()
  await stream.ended
  t.ok(performance.now() - start < 5000)
  const data = /event: backup:completed\ndata: (.*)\n/.exec(stream.text())?.[1] ?? ''
  t.same(JSON.parse(data), made)
})
