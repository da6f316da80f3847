import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { Busy, RestoreFailed } from '../../lib/errors.ts'
import { buildApp } from './build-app.ts'
import { samplePlan, sampleResult } from './engine-double.ts'

const base = '/admin/backup'
const restorable = { restoreAuth: [async () => {}], allowRestore: true }

t.test('POST / takes a snapshot and responds when it is completed', async (t) => {
  const { app, engine } = await buildApp(t)
  const payload = { schema: 'shop', excludeTables: ['sessions'], note: 'before the migration' }
  const response = await app.inject({ method: 'POST', url: base, payload })
  t.equal(response.statusCode, 201)
  t.match(response.json(), { status: 'completed', schema: 'shop', note: 'before the migration' })
  t.equal(response.headers.location, `${base}/${response.json().id}`)
  t.strictSame(engine.calls, [['beginCreate', payload], ['create']])
})

t.test('POST / responds with the error of the run, without a Location', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.fail('create', new Busy('another backup of public runs'))
  const response = await app.inject({ method: 'POST', url: base })
  t.equal(response.statusCode, 409)
  t.equal(response.headers.location, undefined)
})

t.test('the address of the collection may have a trailing slash', async (t) => {
  const { app } = await buildApp(t)
  t.equal((await app.inject(`${base}/`)).statusCode, 200)
  t.equal((await app.inject({ method: 'HEAD', url: base })).statusCode, 200)
  const created = await app.inject({ method: 'POST', url: `${base}/` })
  t.equal(created.statusCode, 201)
  t.equal(created.headers.location, `${base}/${created.json().id}`)
})

t.test('the router may ignore trailing slashes', async (t) => {
  const { app } = await buildApp(t, { server: { routerOptions: { ignoreTrailingSlash: true } } })
  t.equal((await app.inject(base)).statusCode, 200)
  t.equal((await app.inject(`${base}/`)).statusCode, 200)
})

t.test('GET / lists the backups', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put()
  const response = await app.inject(base)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { backups: [backup], next: null })
})

t.test('GET /status responds with the status of the service', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put()
  const response = await app.inject(`${base}/status`)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), {
    healthy: true,
    problems: [],
    allowRestore: false,
    can: { create: true, restore: false, import: true, remove: true },
    nextRunAt: null,
    running: [],
    newest: [backup],
    newestGood: [],
    newestNext: null,
    bytesHeld: 0
  })
  await app.inject(`${base}/status?schema=shop&limit=2&after=blog`)
  t.strictSame(engine.calls.at(-1), ['status', { schema: 'shop', limit: 2, after: 'blog' }])
})

t.test('GET /:id responds with one backup, with its progress while it runs', async (t) => {
  const { app, engine } = await buildApp(t)
  const progress = {
    phase: 'snapshot' as const,
    table: 'users',
    tables: 2,
    tablesDone: 1,
    rows: 10,
    rowsTotal: 40,
    bytes: 100,
    bytesTotal: null,
    estimated: true,
    percent: 25,
    etaMs: 3000
  }
  const backup = engine.put('{}', {
    status: 'running',
    sizeBytes: null,
    tableCount: null,
    rowCount: null,
    checksum: null,
    available: false,
    finishedAt: null,
    durationMs: null,
    progress
  })
  const response = await app.inject(`${base}/${backup.id}`)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), backup)
})

t.test('GET /:id includes the newest restore', async (t) => {
  const { app, engine } = await buildApp(t)
  const at = '2026-11-22T18:00:00.000Z'
  const restore = {
    status: 'failed' as const,
    startedAt: at,
    finishedAt: at,
    by: 'ada',
    preRestoreId: null,
    error: 'the disk is full',
    schema: 'public',
    errorCode: 'FST_BACKUP_STORAGE_FAILED'
  }
  const backup = engine.put('{}', {
    status: 'restored',
    restoredAt: at,
    restoredBy: 'ada',
    createdBy: 'bob',
    cron: '0 2 * * *',
    note: 'x',
    pinned: true,
    restore,
    restores: [restore]
  })
  const response = await app.inject(`${base}/${backup.id}`)
  t.strictSame(response.json(), backup)
})

t.test('PATCH /:id pins and changes the note, and null removes the note', async (t) => {
  const { app, engine } = await buildApp(t)
  const { id } = engine.put('{}', { note: 'old' })
  const pinned = await app.inject({ method: 'PATCH', url: `${base}/${id}`, payload: { pinned: true, note: null } })
  t.equal(pinned.statusCode, 200)
  t.match(pinned.json(), { id, pinned: true, note: null })
  t.strictSame(engine.calls, [['update', id, { pinned: true, note: null }]])
})

t.test('DELETE /:id removes the backup', async (t) => {
  const { app, engine } = await buildApp(t)
  const { id } = engine.put()
  const response = await app.inject({ method: 'DELETE', url: `${base}/${id}` })
  t.equal(response.statusCode, 204)
  t.equal(response.body, '')
  t.equal((await app.inject(`${base}/${id}`)).statusCode, 404)
})

t.test('DELETE /:id of a backup in use is 409', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.fail('remove', new Busy('it is being restored'))
  t.equal((await app.inject({ method: 'DELETE', url: `${base}/${engine.put().id}` })).statusCode, 409)
})

t.test('POST /:id/plan responds with the plan, also when restores are disabled', async (t) => {
  const { app, engine } = await buildApp(t, { options: { allowRestore: false } })
  const { id } = engine.put()
  const payload = { schema: 'copy', tables: ['users'] }
  const response = await app.inject({ method: 'POST', url: `${base}/${id}/plan`, payload })
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), samplePlan(id))
  const [call, of, options] = engine.calls[0] ?? []
  t.strictSame([call, of], ['plan', id])
  const { signal, ...others } = Object(options)
  t.strictSame(others, payload)
  t.ok(signal instanceof AbortSignal)
})

t.test('POST /:id/restore responds with the result', async (t) => {
  const { app, engine } = await buildApp(t, { options: restorable })
  const { id } = engine.put()
  const payload = { schema: 'copy', tables: ['users'], allowSchemaDrift: true }
  const response = await app.inject({ method: 'POST', url: `${base}/${id}/restore`, payload })
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), sampleResult(id))
  t.strictSame(engine.calls, [['beginRestore', id, payload], ['restore']])
})

t.test('POST /:id/restore responds with the error of the restore', async (t) => {
  const { app, engine } = await buildApp(t, { options: restorable })
  engine.fail('restore', new RestoreFailed('orders_user_id_fkey would dangle'))
  const response = await app.inject({ method: 'POST', url: `${base}/${engine.put().id}/restore` })
  t.equal(response.statusCode, 422)
  t.match(response.json(), { code: 'FST_BACKUP_RESTORE_FAILED', message: /orders_user_id_fkey/ })
})

t.test('POST /:id/restore is 403 when restores are disabled, whether the backup exists or not', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const id of [engine.put().id, '00000000-0000-4000-8000-000000000000']) {
    const response = await app.inject({ method: 'POST', url: `${base}/${id}/restore` })
    t.equal(response.statusCode, 403)
    t.equal(response.json().code, 'FST_BACKUP_RESTORE_NOT_ALLOWED')
  }
  t.strictSame(engine.calls, [])
})

t.test('the actor is recorded', async (t) => {
  const { app, engine } = await buildApp(t, {
    options: { ...restorable, actor: (request) => String(request.headers['x-user']) }
  })
  const headers = { 'x-user': 'ada' }
  const created = await app.inject({ method: 'POST', url: base, headers })
  t.equal(created.json().createdBy, 'ada')
  await app.inject({ method: 'POST', url: `${base}/${created.json().id}/restore`, headers })
  t.strictSame(engine.calls.at(-2), ['beginRestore', created.json().id, { actor: 'ada' }])
})

t.test('no run starts when the function of option actor throws', async (t) => {
  const { app, engine } = await buildApp(t, {
    options: { ...restorable, actor: () => { throw new Error('no session') } }
  })
  const { id } = engine.put()
  for (const url of [base, `${base}/${id}/restore`]) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'FST_BACKUP_OPTION_INVALID')
  }
  t.strictSame(engine.calls, [])
})

t.test('a client that disconnects does not abort the run', async (t) => {
  const { app, engine } = await buildApp(t)
  const release = engine.hold()
  const { port, hostname } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const client = connect(Number(port), hostname)
  const served = once(app.server, 'request')
  client.write(`POST ${base} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
  const [, raw] = await served
  await new Promise(setImmediate)
  client.destroy()
  await once(raw, 'close')
  release()
  await new Promise(setImmediate)
  t.strictSame(engine.calls, [['beginCreate', {}], ['create']])
})

t.test('the Location header is percent-encoded', async (t) => {
  const { app } = await buildApp(t, { options: { basePath: '/größe' } })
  const response = await app.inject({ method: 'POST', url: encodeURI('/größe') })
  t.equal(response.statusCode, 201)
  t.equal(response.headers.location, `/gr%C3%B6%C3%9Fe/${response.json().id}`)
})
