import { createReadStream } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { Aborted, CannotSnapshot, SchemaDrift, StorageFull } from '../../lib/errors.ts'
import type { SnapshotJob } from '../../lib/backup/take-snapshot.ts'
import { createPool, poolSettings, type PoolSettings } from '../../lib/postgres/driver/connection.ts'
import { createWorkerRunner } from '../../lib/worker/worker-runner.ts'
import type { Drift, Progress } from '../../types/index.ts'
import { everyConnection, untilBlocked, untilUnlocked } from '../support/backends.ts'
import {
  connectionOf, outcomesOf, type Place, type TestEngine, useEngine, usePlace, linesBesidesRuns
} from '../support/engine.ts'
import { storageWith } from '../support/storage-double.ts'
import { builtWorker } from '../support/worker.ts'
import { snapshotJob } from './snapshot-job.ts'

const rowsOf = async ({ sql }: Place): Promise<number> => (await sql`SELECT FROM orders`).length

t.test('a backup and a restore in workers have the same results and report their progress', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true })
  const reports: Progress[] = []
  const onProgress = (progress: Progress): void => { reports.push(progress) }
  const backup = await engine.create({ onProgress })
  t.match(backup, { status: 'completed', rowCount: 5, tableCount: 2, available: true })
  t.strictSame(
    reports.map(({ phase, table, rows, bytes, percent }) => [phase, table, rows, bytes, percent]),
    [['snapshot', null, 5, backup.sizeBytes, 97], ['snapshot', null, 5, backup.sizeBytes, 100]]
  )

  reports.length = 0
  await place.sql`DELETE FROM orders`
  const result = await engine.restore(backup.id, { onProgress })
  t.equal(result.rowCount, 5)
  t.strictSame(result.tables.map(({ name, rows }) => [name, rows]), [['orders', 3], ['users', 2]])
  t.equal(await rowsOf(place), 3)
  t.strictSame([...new Set(reports.map(({ phase }) => phase))], ['verify', 'snapshot', 'load'])
  t.strictSame(
    engine.events.filter(([name]) => name === 'restore:progress').map(([, event]) => event),
    reports.map((progress) => ({ id: backup.id, schema: 'public', progress }))
  )
  t.match(await engine.get(result.preRestoreId), { trigger: 'pre_restore', status: 'completed', rowCount: 2 })
})

t.test('a worker verifies a snapshot, from a file or an application\'s storage, and imports one', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true })
  const reports: Progress[] = []
  const onProgress = (progress: Progress): void => { reports.push(progress) }
  const { id, filename, checksum } = await engine.create()
  t.strictSame(await engine.verify(id, { onProgress }), { ok: true, problems: [] })
  t.match(reports.at(-1), { phase: 'verify', rows: 5 })
  const path = join(place.directory, filename)
  t.match(await engine.import(createReadStream(path), { onProgress }), { status: 'completed', checksum })

  const own = useEngine(t, place, { worker: true, storage: storageWith(place.directory, {}) })
  t.strictSame(await own.verify(id), { ok: true, problems: [] })
  await writeFile(path, (await readFile(path, 'utf8')).replace('Ada', 'Eve'))
  const changed = ['the rows of table "users" do not match their checksum in the manifest']
  for (const service of [engine, own]) {
    t.strictSame(await service.verify(id), { ok: false, problems: changed })
  }
  await writeFile(path, 'x')
  const damaged = ['The snapshot file is damaged or was changed: a JSON object was expected']
  for (const service of [engine, own]) {
    t.strictSame(await service.verify(id), { ok: false, problems: damaged })
  }
  await rm(path)
  for (const service of [engine, own]) await t.rejects(service.verify(id), { code: 'FST_BACKUP_FILE_GONE' })
  t.strictSame((await readdir(place.directory)).filter((name) => name.startsWith('.')), [])
})

t.test('the caller gets the progress, and always the last report', async (t) => {
  const engine = useEngine(t, await usePlace(t), { worker: true })
  const reports: Progress[] = []
  const { id } = await engine.create({ onProgress: (progress) => { reports.push(progress) } })
  t.match(reports.at(-1), { phase: 'snapshot', table: null, rows: 5, tablesDone: 2 })
  await engine.restore(id, { onProgress: (progress) => { reports.push(progress) } })
  t.strictSame([...new Set(reports.map(({ phase }) => phase))], ['snapshot', 'verify', 'load'])
})

t.test('errors are of this library, with the properties that callers use', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true })
  const { id } = await engine.create()
  await place.sql`ALTER TABLE orders DROP COLUMN total`
  const drifted = await engine.restore(id).catch((error) => error)
  t.ok(drifted instanceof SchemaDrift)
  t.match(drifted, { code: 'FST_BACKUP_SCHEMA_DRIFT', statusCode: 422 })
  t.strictSame(drifted.drift.map(({ table, column }: Drift) => [table, column]), [['orders', 'total']])
  t.match(drifted.drift[0].problem, /not in the table/)

  await place.sql`CREATE FOREIGN DATA WRAPPER nothing`
  await place.sql`CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing`
  await place.sql`CREATE TABLE parted (id int) PARTITION BY LIST (id)`
  await place.sql`CREATE FOREIGN TABLE part PARTITION OF parted DEFAULT SERVER nowhere`
  const unreadable = await engine.create().catch((error) => error)
  t.ok(unreadable instanceof CannotSnapshot)
  t.match(unreadable, { code: 'FST_BACKUP_CANNOT_SNAPSHOT', statusCode: 422, message: /parted/ })
  t.equal(unreadable.problems.length, 1)
  t.match(unreadable.problems[0], /parted/)
})

t.test('no row data of a database error is reported', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE secrets (secret text)`
  await place.sql`INSERT INTO secrets VALUES ('hunter2'), ('hunter2')`
  const engine = useEngine(t, place, { worker: true })
  const { id } = await engine.create()
  await place.sql`DELETE FROM secrets`
  await place.sql`ALTER TABLE secrets ADD UNIQUE (secret)`
  const error = await engine.restore(id).catch((error) => error)
  t.match(error, {
    code: 'FST_BACKUP_RESTORE_FAILED',
    message: /23505.*secrets_secret_key/,
    cause: { code: '23505', table: 'secrets' }
  })
  t.notMatch(JSON.stringify([error, error.message, error.stack, error.cause, engine.lines, engine.events]), /hunter2/)
})

t.test('an error that a hook throws in the main thread is returned as the same object', async (t) => {
  const place = await usePlace(t)
  const full = new StorageFull('publish the snapshot')
  const engine = useEngine(t, place, {
    worker: true,
    storage: storageWith(place.directory, {
      async publish () {
        throw full
      }
    })
  })
  t.equal(await engine.create().catch((error) => error), full)
  t.strictSame(await outcomesOf(engine), [['failed', full.message]])
  t.strictSame(await readdir(place.directory), [])

  const { settings, job } = await useJob(place)
  const runner = createWorkerRunner(settings, async () => '', builtWorker)
  t.teardown(runner.close)
  for (const thrown of ['not an error', undefined, { handle () {} }]) {
    const onLocked = async (): Promise<void> => { throw thrown }
    const { signal } = new AbortController()
    const hooks = { onLocked, async onWritten () {}, onProgress () {}, signal }
    const caught = await runner.takeSnapshot(job, hooks).then(() => 'nothing', (error) => error)
    t.equal(caught, thrown)
  }
})

async function useJob (place: Place): Promise<{ settings: PoolSettings, job: SnapshotJob }> {
  const pool = createPool(place.url)
  const settings = poolSettings(pool) as PoolSettings
  await pool.end()
  return { settings, job: snapshotJob(place, '00000000-0000-4000-8000-000000000000') }
}

t.test('a run that was aborted before it began starts no worker', async (t) => {
  const { settings, job } = await useJob(await usePlace(t))
  const reason = new Aborted('by the test')
  // A worker would fail, since the file does not exist
  const runner = createWorkerRunner(settings, async () => '', new URL('nowhere.js', import.meta.url))
  const hooks = { async onLocked () {}, async onWritten () {}, onProgress () {}, signal: AbortSignal.abort(reason) }
  t.equal(await runner.takeSnapshot(job, hooks).catch((error) => error), reason)
})

/** Checks that an aborted run left no locks and no files, and that the next run succeeds. */
async function leftNothing (t: Tap, place: Place, engine: TestEngine, files: string[]): Promise<void> {
  await untilUnlocked(place.sql)
  t.strictSame(await readdir(place.directory), files)
  await place.sql`DROP TABLE IF EXISTS large`
  t.match(await engine.create(), { status: 'completed' })
}

type Tap = Pick<typeof t, 'match' | 'strictSame'>

const aborted = { code: 'FST_BACKUP_ABORTED', statusCode: 499 }

t.test('a backup is aborted while rows are read', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 200000)`
  const engine = useEngine(t, place, { worker: true })
  const aborting = new AbortController()
  const error = await engine
    .create({
      signal: aborting.signal,
      onProgress () {
        aborting.abort()
      }
    })
    .catch((error) => error)
  t.ok(error instanceof Aborted)
  t.match(error, aborted)
  t.strictSame(await outcomesOf(engine), [['failed', error.message]])
  await leftNothing(t, place, engine, [])
})

t.test('a backup that waits for a lock can be aborted: the server cancels the query', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true })
  const aborting = new AbortController()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    const creating = engine.create({ signal: aborting.signal })
    await untilBlocked(place.sql)
    aborting.abort()
    await t.rejects(creating, aborted)
  })
  await leftNothing(t, place, engine, [])
})

for (const phase of ['verify', 'load'] as const) {
  t.test(`a restore is aborted in its phase ${phase}`, async (t) => {
    const place = await usePlace(t)
    await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 100000)`
    const engine = useEngine(t, place, { worker: true })
    const { id, filename } = await engine.create()
    await place.sql`DELETE FROM orders`
    const aborting = new AbortController()
    const onProgress = (progress: Progress): void => { if (progress.phase === phase) aborting.abort() }
    await t.rejects(engine.restore(id, { signal: aborting.signal, onProgress }), aborted)
    const { restore } = await engine.get(id)
    t.match(restore, { status: 'failed', error: /by the caller/ })
    t.equal(await rowsOf(place), 0)
    const { backups } = await engine.list({ trigger: 'pre_restore' })
    t.equal(backups.length, phase === 'verify' ? 0 : 1)
    await leftNothing(t, place, engine, [filename, ...backups.map(({ filename }) => filename)].sort())
  })
}

t.test('an application\'s pool is not used and not closed: all its connections may be busy', async (t) => {
  const place = await usePlace(t)
  const sql = postgres(place.url, { max: 2, onnotice () {} })
  t.after(async () => { await sql.end({ timeout: 1 }) })
  const engine = useEngine(t, place, { sql, worker: true })
  const busy = [await sql.reserve(), await sql.reserve()]
  const { id } = await engine.create()
  await place.sql`DELETE FROM orders`
  t.match(await engine.restore(id), { rowCount: 5 })
  for (const connection of busy) connection.release()
  await engine.stop()
  await engine.close()
  t.same(await everyConnection(sql), [1])
})

t.test('the password may be a function', async (t) => {
  const place = await usePlace(t)
  const { password, ...connection } = connectionOf(place.url)
  let passwordOf: () => unknown = () => password
  const engine = useEngine(t, place, {
    worker: true,
    connection: { ...connection, password: async () => passwordOf() as string }
  })
  // Opens the connection of the log
  await engine.list()
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 5 })

  const failures: Array<[passwordOf: () => unknown, message: RegExp]> = [
    [() => { throw new RangeError('hunter2') }, /password failed: RangeError/],
    // eslint-disable-next-line no-throw-literal -- a thrown value that is not an error is tested
    [() => { throw 'hunter2' }, /password failed: string/],
    [() => undefined, /password failed: it did not return a string/]
  ]
  for (const [failing, message] of failures) {
    passwordOf = failing
    const error = await engine.create().catch((error) => error)
    t.match(error, { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503, message })
    t.notMatch(String(error.stack), /hunter2/)
  }
  passwordOf = () => password
  t.match(await engine.create(), { status: 'completed' })
  t.strictSame(linesBesidesRuns(engine).filter(({ level }) => level >= 40), [])
})
