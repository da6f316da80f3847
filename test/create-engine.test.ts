import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import t from 'tap'
import { connectionOf, createShop, eventNames, useEngine, usePlace } from './support/engine.ts'
import { createGate, storageHoldingSecond, storageWith } from './support/storage-double.ts'
import { useTcpProxy } from './support/tcp-proxy.ts'
import { until, untilBlocked } from './postgres/backends.ts'
import { testSchema } from './support/database.ts'

const shuttingDown = { code: 'FST_BACKUP_SHUTTING_DOWN', statusCode: 503 }
const unavailable = { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 }
const id = '00000000-0000-4000-8000-000000000000'

/** Milliseconds that it took. */
async function timed (work: Promise<unknown>): Promise<number> {
  const before = performance.now()
  await work
  return performance.now() - before
}

t.test('a database that is down at the start: calls answer 503, and it recovers by itself', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  await proxy.refuse()
  const engine = useEngine(t, { ...place, url: proxy.url }, { schedule: { enabled: true } })
  t.equal(engine.start(), undefined)
  const calls: Array<Promise<unknown>> = [engine.create(), engine.beginCreate(), engine.list(), engine.get(id), engine.download(id), engine.plan(id), engine.restore(id),
    engine.remove(id), engine.update(id, { pinned: true }), engine.prune()]
  t.ok(await timed(Promise.all(calls.map(async (call) => { await t.rejects(call, unavailable) }))) < 10_000)
  t.match(engine.lines.find(({ msg }) => msg.includes('healed')), { level: 40, reason: /not available/ })
  t.strictSame(eventNames(engine), [])
  await proxy.accept()
  t.match(await engine.create(), { status: 'completed' })
})

t.test('a database that accepts connections and says nothing: calls answer 503 as well', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  proxy.freeze()
  const engine = useEngine(t, place, { connection: { ...connectionOf(proxy.url), connect_timeout: 1 } })
  t.ok(await timed(t.rejects(engine.list(), unavailable)) < 5000)
})

t.test('healing goes on until the database is there', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const observer = useEngine(t, place)
  await observer.list()
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at) VALUES (${id}, ${testSchema}, 'dead.json', 'running', 'manual', now())`
  await proxy.refuse()
  const gate = createGate()
  const engine = useEngine(t, { ...place, url: proxy.url }, {}, { now: () => new Date(), wait: async () => { await gate.pass() } })
  engine.start()
  await gate.reached
  t.match(await observer.get(id), { status: 'running' })
  await proxy.accept()
  gate.open()
  while ((await observer.get(id)).status === 'running');
  t.match(await observer.get(id), { status: 'failed', error: /interrupted/ })
})

t.test('stop() during a backup, a restore and a download: rows failed, no files, later calls refused', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  await place.sql`CREATE TABLE tenant.large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 300000)`
  let isStalled = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name) { return isStalled ? new Readable({ read () {} }) : await storage.open(name) }
    })
  })
  const { id } = await engine.create()
  isStalled = true
  const { stream } = await engine.download(id)
  const closed = once(stream, 'close')
  const restore = await engine.beginRestore(id)
  const create = await engine.beginCreate({ schema: 'tenant' })
  const ends = [t.rejects(restore.finished, shuttingDown), t.rejects(create.finished, shuttingDown)]
  t.ok(await timed(engine.stop()) < 5000)
  await closed
  await Promise.all(ends)

  const calls: Array<Promise<unknown>> = [engine.create(), engine.list(), engine.get(id), engine.download(id), engine.plan(id), engine.restore(id), engine.remove(id),
    engine.update(id, {}), engine.prune(), engine.status()]
  for (const call of calls) await t.rejects(call, shuttingDown)
  const { backups } = await useEngine(t, place).list()
  t.equal(backups.length, 2)
  t.match(backups, [{ schema: 'tenant', status: 'failed', error: /shutting down/ }, { id, status: 'completed', restore: { status: 'failed', error: /shutting down/ } }])
  t.strictSame(await readdir(place.directory), [backups[1]?.filename])
})

t.test('a database that no longer answers does not hold stop() and close()', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  await engine.list()
  proxy.freeze()
  const creating = engine.create()
  creating.catch(() => {})
  engine.start()
  const listing = t.rejects(engine.list(), shuttingDown)
  t.ok(await timed(engine.stop()) + await timed(engine.close()) < 5000)
  await t.rejects(creating)
  await listing
})

t.test('nor does a call that waits for somebody else\'s lock', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    const planning = engine.plan(id)
    planning.catch(() => {})
    await untilBlocked(place.sql)
    t.ok(await timed(engine.stop()) + await timed(engine.close()) < 5000)
    await t.rejects(planning, { code: /FST_BACKUP_(SHUTTING_DOWN|LOCK_TIMEOUT)/ })
  })
})

t.test('a plan waits for no lock for long', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    await t.rejects(engine.plan(id), { code: 'FST_BACKUP_LOCK_TIMEOUT', statusCode: 409 })
  })
})

t.test('a restore ends though nobody else can use the pool: all of it waits for the very tables', async (t) => {
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
  await until(async () => (await place.sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).length === 2)
  publishing.open()
  t.match(await restoring, { rowCount: 5 })
  for (const rows of await Promise.all(reading)) t.equal(rows.length, 3)
})

t.test('a pool of the caller\'s own is used and left open; one that is too small is refused', async (t) => {
  const place = await usePlace(t)
  const sql = postgres(place.url, { max: 2, transform: postgres.camel, onnotice () {} })
  t.after(async () => { await sql.end() })
  const engine = useEngine(t, place, { sql })
  const backup = await engine.create()
  t.match(await engine.restore(backup.id), { rowCount: 5 })
  await engine.stop()
  await engine.close()
  t.strictSame([...await sql`SELECT 1 AS one`], [{ one: 1 }])

  t.throws(() => useEngine(t, place, { sql: postgres(place.url, { max: 1 }) }), { code: 'FST_BACKUP_OPTION_INVALID', message: /max: 1/ })
  t.throws(() => useEngine(t, place, { connection: { ...connectionOf(place.url), max: 1 } }), { code: 'FST_BACKUP_OPTION_INVALID' })
})

t.test('the log table may lie in another schema than the data', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE SCHEMA admin`
  const engine = useEngine(t, place, { logSchema: 'admin' })
  const backup = await engine.create()
  await engine.restore(backup.id)
  t.equal((await place.sql`SELECT FROM admin.backup_logs`).length, 2)
  await t.rejects(place.sql`SELECT FROM ${place.sql(testSchema)}.backup_logs`, { code: '42P01' })
  t.match(await engine.create({ schema: 'admin' }), { tableCount: 0, rowCount: 0 })
})

t.test('a function of the owner\'s that throws tells nothing of what it was about', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { schemas: () => { throw new TypeError('hunter2') } })
  await t.rejects(engine.create({ schema: 'tenant' }), { code: 'FST_BACKUP_UNEXPECTED', statusCode: 500, message: /\(TypeError\)/ })
})
