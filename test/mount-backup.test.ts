import Fastify from 'fastify'
import t from 'tap'
import { mountBackup } from '../lib/mount-backup.ts'
import { resolved } from './support/engine.ts'
import { createEngineDouble } from './http/engine-double.ts'

t.test('fastify.backup is the engine, and its routes are below the base path', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const engine = createEngineDouble()
  await mountBackup(app, resolved({ basePath: '/ops/snapshots/' }), engine)
  const backup = await app.backup.create({ note: 'by code' })
  const response = await app.inject(`/ops/snapshots/${backup.id}`)
  t.equal(response.statusCode, 200)
  t.match(response.json(), { id: backup.id, note: 'by code' })
})

t.test('the routes and the Location header include the prefixes of parent scopes', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const engine = createEngineDouble()
  await app.register(async (child) => { await mountBackup(child, resolved(), engine) }, { prefix: '/v1' })
  const response = await app.inject({ method: 'POST', url: '/v1/admin/backup' })
  t.equal(response.statusCode, 201)
  t.equal(response.headers.location, `/v1/admin/backup/${response.json().id}`)
})

t.test('the engine starts when the app is ready', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const engine = createEngineDouble()
  await mountBackup(app, resolved(), engine)
  await app.after()
  t.strictSame(engine.calls, [])
  await app.ready()
  t.strictSame(engine.calls, [['start']])
})

t.test('the engine stops before pending requests end, since they may wait for a run, and closes after', async (t) => {
  const app = Fastify()
  const engine = createEngineDouble()
  const stopped = new Promise<void>((resolve) => {
    engine.stop = async () => {
      engine.calls.push(['stop'])
      resolve()
    }
  })
  app.get('/in-flight', async () => {
    await stopped
    engine.calls.push(['request ended'])
    return 'ok'
  })
  await mountBackup(app, resolved(), engine)
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const response = fetch(`${address}/in-flight`, { headers: { connection: 'close' } })
  await new Promise((resolve) => app.server.once('request', resolve))
  await app.close()
  t.equal((await response).status, 200)
  t.strictSame(engine.calls, [['start'], ['stop'], ['request ended'], ['close']])
})
