import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import t from 'tap'
import { systemClock } from '../lib/clock.ts'
import { createEngine } from '../lib/create-engine.ts'
import { connectionOf, createShop, eventNames, resolved, useEngine, usePlace } from './support/engine.ts'
import { createGate, storageHoldingSecond, storageWith } from './support/storage-double.ts'
import { useTcpProxy } from './support/tcp-proxy.ts'
import { untilBlocked } from './support/backends.ts'
import { until } from './support/until.ts'
import { testSchema } from './support/database.ts'
import { builtWorker, inWorkers } from './support/worker.ts'

const shuttingDown = { code: 'FST_BACKUP_SHUTTING_DOWN', statusCode: 503 }
const unavailable = { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 }
const id = '00000000-0000-4000-8000-000000000000'

t.test('calls fail with 503 while the database is down, and succeed when it is available', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  await proxy.refuse()
  const engine = useEngine(t, { ...place, url: proxy.url }, { schedule: { enabled: true } })
  t.equal(engine.start(), undefined)
  const calls: Array<Promise<unknown>> = [
    engine.create(), engine.beginCreate(), engine.list(), engine.get(id), engine.download(id), engine.plan(id),
    engine.restore(id), engine.remove(id), engine.update(id, { pinned: true }), engine.prune()
  ]
  await Promise.all(calls.map(async (call) => { await t.rejects(call, unavailable) }))
  const cleanUp = engine.lines.find(({ msg }) => msg.includes('could not be cleaned up'))
  t.match(cleanUp, { level: 20, reason: /not available/ })
  t.strictSame(eventNames(engine), [])
  await proxy.accept()
  t.match(await engine.create(), { status: 'completed' })
})

t.test('calls fail with 503 when the database accepts connections and does not respond', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  proxy.freeze()
  const engine = useEngine(t, place, { connection: { ...connectionOf(proxy.url), connect_timeout: 1 } })
  await t.rejects(engine.list(), unavailable)
})

t.test('healing is retried until the database is available', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const observer = useEngine(t, place)
  await observer.list()
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    VALUES (${id}, ${testSchema}, 'dead.json', 'running', 'manual', now())`
  await proxy.refuse()
  const gate = createGate()
  let isOpen = false
  const engine = useEngine(t, { ...place, url: proxy.url }, {}, {
    now: () => new Date(),
    // Waits that begin after the database is back are real: the storage keeper waits again as soon as a wait has ended
    wait: async (ms, signal) => { await (isOpen ? systemClock.wait(ms, signal) : gate.pass()) }
  })
  engine.start()
  await gate.reached
  t.match(await observer.get(id), { status: 'running' })
  await proxy.accept()
  isOpen = true
  gate.open()
  await until(async () => (await observer.get(id)).status !== 'running')
  t.match(await observer.get(id), { status: 'failed', error: /interrupted/ })
})

t.test('stop() aborts backups, restores and downloads, leaves no files, and later calls reject', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  await place.sql`CREATE TABLE tenant.large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 300000)`
  let isStalled = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        return isStalled ? new Readable({ read () {} }) : await storage.open(name, range)
      }
    })
  })
  const { id } = await engine.create()
  isStalled = true
  const { stream } = await engine.download(id)
  const closed = once(stream, 'close')
  const restore = await engine.beginRestore(id)
  const create = await engine.beginCreate({ schema: 'tenant' })
  const ends = [t.rejects(restore.finished, shuttingDown), t.rejects(create.finished, shuttingDown)]
  await engine.stop()
  await closed
  await Promise.all(ends)

  const calls: Array<Promise<unknown>> = [
    engine.create(), engine.list(), engine.get(id), engine.download(id), engine.plan(id), engine.restore(id),
    engine.remove(id), engine.update(id, {}), engine.prune(), engine.status()
  ]
  for (const call of calls) await t.rejects(call, shuttingDown)
  const { backups } = await useEngine(t, place).list()
  t.strictSame(backups.map(({ schema, status, restore }) => [schema, status, restore?.status]), [
    ['tenant', 'failed', undefined],
    [testSchema, 'completed', 'failed']
  ])
  t.equal(backups[1]?.id, id)
  t.match(backups[0]?.error, /shutting down/)
  t.match(backups[1]?.restore?.error, /shutting down/)
  t.strictSame(await readdir(place.directory), [backups[1]?.filename])
})

t.test('stop() and close() do not wait for a database that no longer responds', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  await engine.list()
  proxy.freeze()
  const creating = t.rejects(engine.create(), shuttingDown)
  engine.start()
  const listing = t.rejects(engine.list(), shuttingDown)
  await engine.stop()
  await engine.close()
  await creating
  await listing
})

t.test('stop() and close() do not wait for a call that waits for the lock of another session', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    const planning = engine.plan(id)
    planning.catch(() => {})
    await untilBlocked(place.sql)
    await engine.stop()
    await engine.close()
    await t.rejects(planning, { code: /FST_BACKUP_(SHUTTING_DOWN|LOCK_TIMEOUT)/ })
  })
})

t.test('a plan fails with 409 when it cannot lock a table in time', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    await t.rejects(engine.plan(id), { code: 'FST_BACKUP_LOCK_TIMEOUT', statusCode: 409 })
  })
})

t.test('a restore ends although the other connections of the pool wait for its tables', async (t) => {
  const place = await usePlace(t)
  const sql = postgres(place.url, { max: 3, onnotice () {} })
  t.after(async () => { await sql.end({ timeout: 1 }) })
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const engine = useEngine(t, place, {
    sql,
    storage
  })
  const { id } = await engine.create()
  const restoring = engine.restore(id)
  await publishing.reached
  const reading = [1, 2, 3].map(() => sql`SELECT id FROM orders`.execute())
  await until(async () => {
    const blocked = await place.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`
    return blocked.length === 2
  })
  publishing.open()
  t.match(await restoring, { rowCount: 5 })
  for (const rows of await Promise.all(reading)) t.equal(rows.length, 3)
})

t.test('a pool of the application is used and not closed; one that is too small is an error', async (t) => {
  const place = await usePlace(t)
  const sql = postgres(place.url, { max: 2, transform: postgres.camel, onnotice () {} })
  t.after(async () => { await sql.end() })
  const engine = useEngine(t, place, { sql })
  const backup = await engine.create()
  t.match(await engine.restore(backup.id), { rowCount: 5 })
  await engine.stop()
  await engine.close()
  t.strictSame([...await sql`SELECT 1 AS one`], [{ one: 1 }])

  t.throws(() => useEngine(t, place, { sql: postgres(place.url, { max: 1 }) }), {
    code: 'FST_BACKUP_OPTION_INVALID', message: /max: 1/
  })
  t.throws(
    () => useEngine(t, place, { connection: { ...connectionOf(place.url), max: 1 } }),
    { code: 'FST_BACKUP_OPTION_INVALID' }
  )
})

t.test('the log table may be in another schema than the data', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE SCHEMA admin`
  const engine = useEngine(t, place, { logSchema: 'admin' })
  const backup = await engine.create()
  await engine.restore(backup.id)
  t.equal((await place.sql`SELECT FROM admin.backup_logs`).length, 2)
  await t.rejects(place.sql`SELECT FROM ${place.sql(testSchema)}.backup_logs`, { code: '42P01' })
  t.match(await engine.create({ schema: 'admin' }), { tableCount: 0, rowCount: 0 })
})

t.test('an exception in a function of the application is reported without its message', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { schemas: () => { throw new TypeError('hunter2') } })
  await t.rejects(engine.create({ schema: 'tenant' }), {
    code: 'FST_BACKUP_UNEXPECTED', statusCode: 500, message: /\(TypeError\)/
  })
})

t.test('a logger, listeners and callbacks that throw do not fail a run', async (t) => {
  const place = await usePlace(t)
  const fail = (): never => { throw new Error('mine') }
  const options = {
    connection: place.url, schema: testSchema, storagePath: place.directory, allowRestore: true, restoreAuth: [fail]
  }
  const logger = { debug: fail, info: fail, warn: fail, error: fail }
  const all = resolved({ ...options, worker: inWorkers, maxBackups: 1 })
  const engine = createEngine(all, logger, undefined, { entry: builtWorker, smallRuns: null })
  t.after(async () => {
    await engine.stop()
    await engine.close()
  })
  for (const name of [
    'backup:started', 'backup:progress', 'backup:completed', 'backup:pruned', 'restore:started', 'restore:progress',
    'restore:completed'
  ] as const) engine.on(name, fail)
  engine.start()
  await engine.create({ onProgress: fail })
  const { id } = await engine.create()
  await engine.restore(id, { onProgress: fail })
  t.match(await engine.get(id), { status: 'restored', restore: { status: 'completed', error: null } })
  t.strictSame(await engine.verify(id, { onProgress: fail }), { ok: true, problems: [] })
})
