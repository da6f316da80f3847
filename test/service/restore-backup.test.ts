import { getEventListeners } from 'node:events'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { Progress, RestoreResult } from '../../types/index.ts'
import { cancelBlocked } from '../support/backends.ts'
import { connectionOf, createShop, eventNames, type Place, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageBehind, storageHoldingSecond, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { testSchema } from '../support/database.ts'
import { matchEach } from '../support/match-each.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { until } from '../support/until.ts'

interface Content { users: Array<{ id: number, name: string }>, orders: Array<{ id: number }> }

/** All rows of the shop. */
async function contentOf ({ sql }: Place, schema = testSchema): Promise<Content> {
  const [content] = await sql.unsafe<Content[]>(`SELECT
    (SELECT json_agg(u ORDER BY id) FROM ${schema}.users u) AS users,
    (SELECT json_agg(o ORDER BY id) FROM ${schema}.orders o) AS orders`)
  return content ?? { users: [], orders: [] }
}

const namesOf = ({ users }: Content): string[] => users.map(({ name }) => name)

const damage = async ({ sql }: Place): Promise<void> => {
  await sql`DELETE FROM orders WHERE id > 1`
  await sql`UPDATE users SET name = 'Eve'`
}

t.test('a restore replaces the rows, reports what it did, and keeps a snapshot of the replaced rows', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const before = await contentOf(place)
  const backup = await engine.create()
  await damage(place)
  const damaged = await contentOf(place)
  const reports: Progress[] = []
  const result = await engine.restore(backup.id, { actor: 'ada', onProgress: (progress) => reports.push(progress) })

  t.strictSame(await contentOf(place), before)
  t.match(result, { id: backup.id, schema: testSchema, rowCount: 5 })
  t.strictSame(result.tables, [{ name: 'orders', rows: 3 }, { name: 'users', rows: 2 }])
  t.strictSame(result.drift, [])
  t.strictSame(Object.keys(result.phases),
    ['startMs', 'verifyMs', 'planMs', 'lockMs', 'snapshotMs', 'loadMs', 'finishMs'])
  for (const [phase, ms] of Object.entries(result.phases)) t.ok(Number.isInteger(ms) && ms >= 0, phase)
  t.equal(result.durationMs, Object.values(result.phases).reduce((sum, ms) => sum + ms, 0))
  t.strictSame(new Set(reports.map(({ phase }) => phase)), new Set(['verify', 'snapshot', 'load']))

  const source = await engine.get(backup.id)
  t.match(source, {
    status: 'restored',
    available: true,
    restoredBy: 'ada',
    restore: {
      status: 'completed',
      by: 'ada',
      preRestoreId: result.preRestoreId,
      error: null,
      finishedAt: source.restoredAt
    }
  })
  t.ok(Date.parse(source.restore?.startedAt ?? '') <= Date.parse(source.restore?.finishedAt ?? ''))
  const preRestore = await engine.get(result.preRestoreId)
  t.match(preRestore, {
    status: 'completed',
    trigger: 'pre_restore',
    available: true,
    createdBy: 'ada',
    note: `before the restore of ${backup.id}`,
    rowCount: 3
  })
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed', 'restore:started', 'restore:completed'])
  t.strictSame(engine.events.at(-1), ['restore:completed', result])
  const eventOf = (event: string): unknown => engine.events.find(([name]) => name === event)?.[1]
  t.strictSame(eventOf('restore:started'), { id: backup.id, schema: testSchema })
  t.strictSame(eventOf('restore:progress'), { id: backup.id, schema: testSchema, progress: reports[0] })

  await engine.restore(result.preRestoreId)
  t.strictSame(await contentOf(place), damaged, 'the pre_restore snapshot can be restored')
  await engine.restore(backup.id)
  t.strictSame(await contentOf(place), before, 'a snapshot can be restored again')
})

/** Lets the monotonic clock of this thread go forward at once. Other clocks and timers do not change. */
function advancePerformanceClock (t: Test, ms: number): void {
  const now = performance.now.bind(performance)
  t.after(() => { Reflect.deleteProperty(performance, 'now') })
  performance.now = () => now() + ms
}

t.test('the start of a restore includes the wait for a connection', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const engine = useEngine(t, place, {
    // One run at a time
    connection: { ...connectionOf(place.url), max: 2 },
    storage: storageBehind(place.directory, gate)
  })
  const { id } = await useEngine(t, place).create()
  const blocking = engine.create()
  await gate.reached
  const { signal } = new AbortController()
  const restoring = engine.restore(id, { signal })
  await until(() => getEventListeners(signal, 'abort').length > 0) // only a call that waits listens
  advancePerformanceClock(t, 3_600_000)
  gate.open()
  await blocking
  const { phases: { startMs, ...phases }, durationMs } = await restoring
  t.ok(startMs >= 3_600_000)
  t.equal(durationMs, Object.values(phases).reduce((sum, ms) => sum + ms, startMs))
})

t.test('the wait for the locks is a phase of its own', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  let restoring: ReturnType<typeof engine.restore> | undefined
  await place.sql.begin(async (sql) => {
    await sql`LOCK TABLE users IN ACCESS SHARE MODE`
    restoring = engine.restore(id)
    await cancelBlocked(place.sql, 1)
  })
  const { durationMs, phases: { planMs, lockMs, ...others } } = await restoring as RestoreResult
  t.ok(lockMs >= 200, 'the pause before the second attempt')
  t.ok(planMs > 0)
  t.equal(planMs + lockMs + Object.values(others).reduce((sum, ms) => sum + ms, 0), durationMs)
})

t.test('beginRestore() resolves with the backup that is being restored', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const { backup, finished } = await engine.beginRestore(id)
  t.match(backup, {
    id,
    status: 'completed',
    available: true,
    restore: { status: 'running', by: null, finishedAt: null, preRestoreId: null }
  })
  await finished
})

t.test('a restore of some tables, and a restore into another schema', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await damage(place)
  await engine.restore(id, { tables: ['orders'] })
  const content = await contentOf(place)
  t.strictSame(namesOf(content), ['Eve', 'Eve'])
  t.strictSame(content.orders.map((order) => order.id), [1, 2, 3])

  await place.sql`DELETE FROM tenant.orders`
  t.match(await engine.restore(id, { schema: 'tenant' }), { schema: 'tenant', rowCount: 5 })
  matchEach(t, (await engine.list({ schema: 'tenant' })).backups, [{ trigger: 'pre_restore', schema: 'tenant' }])
  const tenant = await contentOf(place, 'tenant')
  t.strictSame(namesOf(tenant), ['Ada', 'Bob'])
  t.strictSame(tenant.orders.map((order) => order.id), [1, 2, 3])
  await t.rejects(engine.restore(id, { schema: 'nowhere' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND', statusCode: 404 })
  await t.rejects(engine.restore(id, { tables: ['nothing'] }), { code: 'FST_BACKUP_ARGUMENT_INVALID', statusCode: 400 })
  await t.rejects(engine.plan(id, { tables: ['nothing'] }), { code: 'FST_BACKUP_ARGUMENT_INVALID', statusCode: 400 })
})

t.test('a plan returns what a restore would do, even if restores are disabled', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { allowRestore: false })
  const { id } = await engine.create()
  await damage(place)
  const plan = await engine.plan(id)
  t.strictSame(plan, {
    id,
    schema: testSchema,
    tables: [{ name: 'orders', rowsNow: 1, rowsAfter: 3 }, { name: 'users', rowsNow: 2, rowsAfter: 2 }],
    untouched: ['backup_logs'],
    drift: [],
    sequences: [{ name: 'users_id_seq', now: '2', after: '2' }],
    warnings: [],
    ok: true
  })
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_NOT_ALLOWED', statusCode: 403 })
  await t.rejects(engine.restore('no id'), { code: 'FST_BACKUP_RESTORE_NOT_ALLOWED' }, 'before anything else')
  await t.rejects(engine.beginRestore(id), { code: 'FST_BACKUP_RESTORE_NOT_ALLOWED' })
  t.equal((await engine.list()).backups.length, 1)
})

t.test('a truncated, edited or exchanged file is refused, and nothing is changed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const first = await engine.create()
  const second = await engine.create()
  await damage(place)
  const damaged = await contentOf(place)
  const path = join(place.directory, first.filename)
  const bytes = await readFile(path)

  const damages: Record<string, () => Promise<void>> = {
    truncated: async () => { await truncate(path, bytes.length - 10) },
    empty: async () => { await truncate(path, 0) },
    miscounted: async () => { await writeFile(path, bytes.toString().replace('"rows":2', '"rows":3')) },
    edited: async () => { await writeFile(path, bytes.toString().replace('Ada', 'Eda')) },
    'another\'s': async () => { await writeFile(path, await readFile(join(place.directory, second.filename))) },
    'something else': async () => { await writeFile(path, 'hunter2') }
  }
  for (const [how, harm] of Object.entries(damages)) {
    await harm()
    const error = await engine.restore(first.id).catch((error) => error)
    t.match(error, { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 }, how)
    t.notMatch(error.message, /hunter2|Eda/)
    t.match(await engine.get(first.id), {
      status: 'completed', restore: { status: 'failed', error: error.message, preRestoreId: null }
    })
    if (how === 'empty') await t.rejects(engine.plan(first.id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  }
  t.strictSame(await contentOf(place), damaged)
  t.equal((await engine.list()).backups.length, 2, 'there is no pre_restore backup, not even a failed one')
  const { problems } = await engine.status()
  t.strictSame(problems.map(({ code, backupIds }) => [code, backupIds]), [['snapshot_damaged', [first.id]]],
    'a failed restore does not affect the health of the backups, only the damage of the file does')
  const [name, value] = engine.events.at(-1) ?? []
  t.equal(name, 'restore:failed')
  t.match(value, { id: first.id, schema: testSchema, error: { code: 'FST_BACKUP_SNAPSHOT_INVALID' } })
})

t.test('a damaged table is named, and does not prevent the restore of another table', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await damage(place)
  const damaged = await contentOf(place)
  const path = join(place.directory, filename)
  await writeFile(path, String(await readFile(path)).replace('Ada', 'Eda'))
  const problems = ['the rows of table "users" do not match their checksum in the manifest']
  for (const tables of [['users'], ['users', 'orders']]) {
    await t.rejects(engine.restore(id, { tables }), { code: 'FST_BACKUP_SNAPSHOT_INVALID', problems })
    t.strictSame(await contentOf(place), damaged)
  }
  t.match(await engine.restore(id, { tables: ['orders'] }), { rowCount: 3 })
})

t.test('a call in code may accept an edited file', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  await writeFile(path, String(await readFile(path)).replace('Ada', 'Augusta Ada'))
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  await engine.restore(id, { allowModified: true })
  t.strictSame(namesOf(await contentOf(place)), ['Augusta Ada', 'Bob'])
})

t.test('a failed restore changes nothing, exposes no row data, and keeps its pre_restore snapshot', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await place.sql`CREATE TABLE secrets (secret text UNIQUE)`
  await place.sql`INSERT INTO secrets VALUES ('hunter2'), ('swordfish')`
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  await writeFile(path, String(await readFile(path)).replace('swordfish', 'hunter2'))
  await damage(place)
  const damaged = await contentOf(place)

  const error = await engine.restore(id, { allowModified: true }).catch((error) => error)
  t.match(error, { code: 'FST_BACKUP_RESTORE_FAILED', statusCode: 422, message: /23505.*secrets_secret_key/ })
  t.strictSame(await contentOf(place), damaged)
  const { restore, status } = await engine.get(id)
  t.match({ restore, status }, { status: 'completed', restore: { status: 'failed', error: error.message } })
  const preRestore = await engine.get(restore?.preRestoreId ?? '')
  t.match(preRestore, { status: 'completed', trigger: 'pre_restore', available: true })

  const { message, stack, cause } = error
  const exposed = JSON.stringify([error, message, stack, cause, engine.lines, engine.events, await engine.list()])
  t.notMatch(exposed, /hunter2/)

  await place.sql`DELETE FROM orders`
  await place.sql`DELETE FROM users`
  await engine.restore(preRestore.id)
  t.strictSame(await contentOf(place), damaged)
})

t.test('schema drift is reported, and may be allowed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`ALTER TABLE orders DROP COLUMN total`
  const { ok, drift } = await engine.plan(id)
  t.equal(ok, false)
  matchEach(t, drift, [{ table: 'orders', column: 'total', problem: /not in the table/ }])
  const error = await engine.restore(id).catch((error) => error)
  t.match(error, { code: 'FST_BACKUP_SCHEMA_DRIFT', statusCode: 422 })
  t.strictSame(error.drift, drift)
  const result = await engine.restore(id, { allowSchemaDrift: true })
  t.strictSame(result.drift, drift)
  t.equal(result.rowCount, 5)
})

t.test('a restore is refused while a backup runs, and a backup while a restore runs', async (t) => {
  const place = await usePlace(t)
  const publishing = createGate()
  const reading = createGate()
  let isHeld = false
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      if (isHeld) await publishing.pass()
      await storage.publish(spoolPath, name)
    },
    async open (storage, name, range) {
      if (isHeld) await reading.pass()
      return await storage.open(name, range)
    }
  })
  const engine = useEngine(t, place, { storage })
  const other = useEngine(t, place)
  const { id } = await engine.create()

  isHeld = true
  const running = engine.create()
  await publishing.reached
  const busy = { code: 'FST_BACKUP_BUSY', statusCode: 409 }
  await t.rejects(engine.restore(id), busy)
  await t.rejects(other.restore(id), busy)
  await t.rejects(other.create(), busy)
  matchEach(t, (await other.status()).running, [{ status: 'running', schema: testSchema }])
  publishing.open()
  await running

  const { finished } = await engine.beginRestore(id)
  await reading.reached
  await t.rejects(engine.create(), busy)
  await t.rejects(other.create(), busy)
  await t.rejects(other.restore(id), busy, 'a second restore')
  await t.rejects(other.remove(id), busy, 'another replica reads it')
  await t.rejects(engine.remove(id), busy)
  matchEach(t, (await other.status()).running, [{ id, restore: { status: 'running' } }])
  reading.open()
  t.match(await finished, { id })
  const failed = [...eventNames(engine), ...eventNames(other)].filter((name) => name.endsWith(':failed'))
  t.strictSame(failed, [], 'a refused call is not a failed run')
  await other.remove(id)
})

t.test('a backup while a restore has locked the tables is refused without waiting for the locks', async (t) => {
  const place = await usePlace(t)
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  const restoring = engine.restore(id)
  await publishing.reached
  const other = useEngine(t, place)
  // A backup that waited for the locks would reject with FST_BACKUP_LOCK_TIMEOUT
  await t.rejects(other.create(), { code: 'FST_BACKUP_BUSY', statusCode: 409 })
  publishing.open()
  await restoring
  t.equal((await engine.list({ status: 'failed' })).backups.length, 0)
})

t.test('of two concurrent restores of a snapshot into different schemas, the record shows the newest', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const gates = [createGate(), createGate()]
  let opened = 0
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        await gates[opened++]?.pass()
        return await storage.open(name, range)
      }
    })
  })
  const { id } = await engine.create()
  const first = await engine.beginRestore(id, { actor: 'first' })
  await gates[0]?.reached
  const second = await engine.beginRestore(id, { schema: 'tenant', actor: 'second' })
  await gates[1]?.reached

  gates[0]?.open()
  await first.finished
  t.match(await engine.get(id), {
    status: 'restored', restoredBy: 'first', restore: { status: 'running', by: 'second', preRestoreId: null }
  })
  gates[1]?.open()
  const { preRestoreId } = await second.finished
  t.match(await engine.get(id), {
    status: 'restored', restoredBy: 'second', restore: { status: 'completed', by: 'second', preRestoreId }
  })
})

t.test('a snapshot is removed while its restore waits for a connection', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const gate = createGate()
  const engine = useEngine(t, place, {
    connection: { ...connectionOf(place.url), max: 2 },
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        if (name.startsWith('tenant')) await gate.pass()
        await storage.publish(spoolPath, name)
      }
    })
  })
  const { id } = await engine.create()
  const other = engine.create({ schema: 'tenant' })
  await gate.reached
  const restoring = engine.restore(id)
  // The restore looks for its snapshot before it waits
  await engine.get(id)
  await useEngine(t, place).remove(id)
  gate.open()
  await t.rejects(restoring, { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404 })
  await other
  t.strictSame(eventNames(engine).filter((name) => name.startsWith('restore')), [])
})

t.test('the file disappears during a restore, or cannot be read', async (t) => {
  const place = await usePlace(t)
  let how = 'normal'
  const readError = Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' })
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        if (how === 'gone') await rm(join(place.directory, name), { force: true })
        if (how === 'broken') return new Readable({ read () { this.destroy(readError) } })
        if (how === 'closed') throw Object.assign(new Error('hunter2'), { name: 'AccessDenied' })
        return await storage.open(name, range)
      }
    })
  })
  const { id, filename } = await engine.create()
  how = 'broken'
  const broken = { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500, message: /read the snapshot \(EIO\)/ }
  await t.rejects(engine.restore(id), broken)
  await t.rejects(engine.plan(id), broken)
  t.match((await engine.get(id)).restore, { status: 'failed', error: broken.message })
  how = 'closed'
  const closed = { code: 'FST_BACKUP_STORAGE_FAILED', message: /open the snapshot \(AccessDenied\)/ }
  await t.rejects(engine.restore(id), closed)
  await t.rejects(engine.plan(id), closed)
  how = 'gone'
  const gone = { code: 'FST_BACKUP_FILE_GONE', statusCode: 410, message: new RegExp(filename) }
  await t.rejects(engine.restore(id), gone)
  await t.rejects(engine.restore(id), gone)
  await t.rejects(engine.plan(id), gone)
  t.match(await engine.get(id), { status: 'completed', available: false })
})

t.test('a failed or running backup cannot be restored', async (t) => {
  const place = await usePlace(t)
  const publishing = createGate()
  const storage = storageBehind(place.directory, publishing)
  const engine = useEngine(t, place, { storage })
  const { backup: { id }, finished } = await engine.beginCreate()
  await publishing.reached
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_NOT_COMPLETED', message: /is running/ })
  publishing.open()
  await finished
  await place.sql`UPDATE backup_logs SET status = 'failed'`
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_NOT_COMPLETED', statusCode: 409, message: /is failed/ })
  await t.rejects(engine.plan(id), { code: 'FST_BACKUP_NOT_COMPLETED' })
})

t.test('a restore fails when its pre_restore snapshot cannot be written', async (t) => {
  const place = await usePlace(t)
  const before = await contentOf(place)
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        if (published++ > 0) throw Object.assign(new Error('EDQUOT'), { code: 'EDQUOT', syscall: 'write' })
        await storage.publish(spoolPath, name)
      }
    })
  })
  let published = 0
  const { id } = await engine.create()
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507 })
  matchEach(t, (await engine.list()).backups, [
    { status: 'failed', trigger: 'pre_restore', error: /full/ },
    { id, restore: { status: 'failed', preRestoreId: null } }
  ])
  t.strictSame(await contentOf(place), before)
})

t.test('the caller aborts a restore', async (t) => {
  const place = await usePlace(t)
  const aborting = new AbortController()
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      // A storage that does not answer
      open: async () => new Readable({ read () { aborting.abort() } })
    })
  })
  const { id } = await engine.create()
  await t.rejects(engine.restore(id, { signal: aborting.signal }), { code: 'FST_BACKUP_ABORTED', statusCode: 499 })
  t.match((await engine.get(id)).restore, { status: 'failed', error: /by the caller/ })
})

t.test('the database goes down during a restore; the record is healed when it is up again', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const before = await contentOf(place)
  let isHealed = false
  const healing = createGate()
  const clock = { now: () => new Date(), async wait () { await healing.pass(); isHealed = true } }
  const engine = useEngine(t, { ...place, url: proxy.url }, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        await proxy.refuse()
        return await storage.open(name, range)
      }
    })
  }, clock)
  const { id } = await engine.create()
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  t.strictSame(await contentOf(place), before)
  await healing.reached
  t.match((await useEngine(t, place).get(id)).restore, { status: 'running' })
  await proxy.accept()
  healing.open()
  const other = useEngine(t, place)
  await until(async () => (await other.get(id)).restore?.status !== 'running')
  t.ok(isHealed)
  t.match((await other.get(id)).restore, { status: 'failed', error: /interrupted/ })
})

t.test('the log and restores use synchronous commit, even if the database does not', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  await place.sql`CREATE TABLE commits (setting text)`
  await place.sql.unsafe(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO ${testSchema}.commits SELECT current_setting('synchronous_commit'); RETURN NULL; END $$`)
  await place.sql`CREATE TRIGGER note AFTER INSERT OR UPDATE ON backup_logs FOR EACH ROW EXECUTE FUNCTION note()`
  for (const [setting, used] of [['off', 'on'], ['on', 'on'], ['remote_apply', 'remote_apply']] as const) {
    await place.sql`TRUNCATE commits`
    await place.sql.unsafe(`ALTER DATABASE ${new URL(place.url).pathname.slice(1)} SET synchronous_commit = ${setting}`)
    const replica = useEngine(t, place, { excludeTables: ['commits'] })
    const { id } = await replica.create()
    await replica.restore(id)
    t.strictSame([...await place.sql`SELECT DISTINCT setting FROM commits`], [{ setting: used }], setting)
  }
})

t.test('a removal at the same time does not end in a deadlock with the completion of a restore', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { guard: { minRows: 1 } })
  const other = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`DELETE FROM orders`
  const suspect = await engine.create()
  // The completion waits after it has locked the row of the snapshot
  await place.sql.unsafe(`CREATE FUNCTION wait () RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE UPDATE ON backup_logs FOR EACH ROW
      WHEN (NEW.status = 'restored' AND OLD.status = 'completed') EXECUTE FUNCTION wait()`)
  const untilWaiting = async (sessions: number): Promise<void> => {
    await until(async () => (await place.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`).length === sessions)
  }
  let runs: Array<Promise<unknown>> = []
  await place.sql.begin(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(42)`
    runs = [engine.restore(id)]
    await untilWaiting(1)
    runs.push(other.remove(suspect.id))
    await untilWaiting(2)
  })
  await Promise.all(runs)
  t.equal((await engine.get(id)).status, 'restored')
  await t.rejects(engine.get(suspect.id), { code: 'FST_BACKUP_NOT_FOUND' })
})

t.test('no process that is busy keeps rows of the log locked for long, or makes a restore fail', async (t) => {
  const place = await usePlace(t)
  const clock = createManualClock(new Date().toISOString())
  const engine = useEngine(t, place, {}, clock)
  const { id } = await engine.create()
  await place.sql.unsafe(`CREATE TABLE seen (status text, statement text, patience text);
    CREATE FUNCTION see () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${testSchema}.seen VALUES (NEW.status, current_query(), current_setting('lock_timeout'));
      RETURN NEW; END $$;
    CREATE TRIGGER see BEFORE UPDATE ON backup_logs FOR EACH ROW
      WHEN (NEW.restores -> 0 ? 'progress' OR NEW.status <> OLD.status) EXECUTE FUNCTION see()`)
  engine.on('restore:progress', async () => { await clock.advance(2000) })
  await engine.restore(id, { tables: ['users', 'orders'] })
  const seen = await place.sql`SELECT * FROM seen`
  const [progress] = seen.filter(({ statement }) => /'progress', '/.test(statement))
  t.match(progress?.statement, /^SET TRANSACTION READ WRITE;.*SET LOCAL.*UPDATE/s, 'one message to the server')
  t.strictSame(seen.filter(({ status }) => status === 'restored').map(({ patience }) => patience), ['30s'])
})
