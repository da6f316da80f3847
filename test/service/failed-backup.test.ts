import { chmod, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BackupOptions } from '../../types/index.ts'
import { locksLeft } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { eventNames, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageFollowedBy, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { testSchema } from '../support/database.ts'
import { matchEach } from '../support/match-each.ts'

interface Engines { directory: string, engine: TestEngine, other: TestEngine }

/** Asserts that the run fails with this error, and leaves a failed row with the reason and no file. */
async function failsCleanly (
  t: Test,
  { directory, engine, other }: Engines,
  error: { code: string, statusCode: number },
  run = async () => await engine.create()
): Promise<void> {
  await t.rejects(run(), error)
  const { backups: [row] } = await other.list()
  if (row === undefined) throw new Error('there is no row')
  const { id, filename } = row
  t.match(row, {
    status: 'failed',
    available: false,
    sizeBytes: null,
    checksum: null,
    tableCount: null,
    rowCount: null,
    error: /./,
    finishedAt: /^\d{4}-/,
    durationMs: Number
  })
  t.strictSame((await readdir(directory)).filter((name) => name.includes(id) || name === filename), [])
  const [name, value] = engine.events.at(-1) ?? []
  t.equal(name, 'backup:failed')
  t.match(value, { id, schema: testSchema, error: { ...error, message: row.error } })
}

async function useTwo (t: Test, options: (place: Place) => BackupOptions): Promise<Place & Engines> {
  const place = await usePlace(t)
  return { ...place, engine: useEngine(t, place, options(place)), other: useEngine(t, place) }
}

t.test('storagePath is a file', async (t) => {
  const place = await useTwo(t, ({ directory }) => ({ storagePath: join(directory, 'file') }))
  await writeFile(join(place.directory, 'file'), '')
  await failsCleanly(t, place, { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500 })
  await rm(join(place.directory, 'file'))
  t.match(await place.engine.create(), { status: 'completed' })
})

t.test('storagePath lies below a file', async (t) => {
  const place = await useTwo(t, ({ directory }) => ({ storagePath: join(directory, 'file', 'backups') }))
  await writeFile(join(place.directory, 'file'), '')
  await failsCleanly(t, place, { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500 })
  await rm(join(place.directory, 'file'))
  t.match(await place.engine.create(), { status: 'completed' })
})

const isRoot = process.getuid?.() === 0
t.test('storagePath is not writable', { skip: isRoot ? 'root may write everywhere' : false }, async (t) => {
  const place = await useTwo(t, () => ({}))
  await chmod(place.directory, 0o500)
  t.after(async () => { await chmod(place.directory, 0o700) })
  await failsCleanly(t, place, { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500 })
})

t.test('storagePath is a device', async (t) => {
  const place = await useTwo(t, () => ({ storagePath: '/dev/full' }))
  await failsCleanly(t, place, { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500 })
})

t.test('the storage is full when the file is published', async (t) => {
  let isFull = true
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write' })
  const place = await useTwo(t, ({ directory }) => ({
    storage: storageWith(directory, {
      async publish (storage, spoolPath, name) {
        if (isFull) throw full
        await storage.publish(spoolPath, name)
      }
    })
  }))
  await failsCleanly(t, place, { code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507 })
  isFull = false
  t.match(await place.engine.create(), { status: 'completed' })
})

t.test('a file that exists under the same name is kept', async (t) => {
  const place = await usePlace(t)
  const clock = { now: () => new Date('2026-11-22T17:45:00.123Z'), wait: async () => {} }
  const engine = useEngine(t, place, { maxBackups: 1 }, clock)
  const taken = join(place.directory, `${testSchema}_2026-11-22T17-45-00-123Z.json`)
  await writeFile(taken, 'of another service')
  const engines = { directory: join(place.directory, '..'), engine, other: engine }
  await failsCleanly(t, engines, { code: 'FST_BACKUP_STORAGE_FAILED', statusCode: 500 })
  await engine.create()
  const { backups: [, failed] } = await engine.list()
  await engine.remove(failed?.id ?? '')
  t.ok((await readdir(place.directory)).includes(`${testSchema}_2026-11-22T17-45-00-123Z.json`))
})

t.test('a row that cannot be read', async (t) => {
  const place = await useTwo(t, () => ({}))
  await place.sql`CREATE TYPE mood AS ENUM ('fine', 'lost')`
  await place.sql`CREATE TABLE torn AS
    SELECT CASE WHEN i < 100000 THEN 'fine' ELSE 'lost' END::mood FROM generate_series(1, 100000) AS i`
  await place.sql`DELETE FROM pg_enum WHERE enumlabel = 'lost'`
  await failsCleanly(t, place, { code: 'FST_BACKUP_DATABASE_FAILED', statusCode: 500 })
  await place.sql`DROP TABLE torn`
  t.match(await place.engine.create(), { status: 'completed' })
})

t.test('a table that the role may not read', async (t) => {
  const place = await usePlace(t)
  const role = `reader_${new URL(place.url).pathname.slice(-16)}`
  await place.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'reader';
    GRANT CREATE, USAGE ON SCHEMA ${testSchema} TO ${role};
    GRANT SELECT ON users, users_id_seq TO ${role}`)
  t.after(async () => { await place.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`) })
  const url = Object.assign(new URL(place.url), { username: role, password: 'reader' }).href
  const engine = useEngine(t, { ...place, url })
  await failsCleanly(t, { ...place, engine, other: engine }, { code: 'FST_BACKUP_CANNOT_SNAPSHOT', statusCode: 422 })
  const { backups: [row] } = await engine.list()
  t.match(row?.error, new RegExp(`lacks the SELECT privilege on ${testSchema}\\.orders`))
  t.match(await engine.create({ excludeTables: ['orders'] }), { status: 'completed' })
})

t.test('a schema that does not exist is a refused call: 404, no row and no event', async (t) => {
  const { engine } = await useTwo(t, () => ({}))
  await t.rejects(engine.create({ schema: 'nowhere' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND', statusCode: 404 })
  t.strictSame((await engine.list()).backups, [])
  t.strictSame(engine.events, [])
})

t.test('an abort after the file is complete has no effect', async (t) => {
  const aborting = new AbortController()
  const place = await useTwo(t, ({ directory }) => ({
    storage: storageWith(directory, {
      async publish (storage, spoolPath, name) {
        aborting.abort()
        await storage.publish(spoolPath, name)
      }
    })
  }))
  t.match(await place.engine.create({ signal: aborting.signal }), { status: 'completed' })
})

t.test('the caller aborts the run while it reads rows', async (t) => {
  const place = await useTwo(t, () => ({}))
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 200000)`
  const aborting = new AbortController()
  await failsCleanly(t, place, { code: 'FST_BACKUP_ABORTED', statusCode: 499 },
    async () => await place.engine.create({ signal: aborting.signal, onProgress: () => { aborting.abort() } }))
  await t.rejects(place.engine.create({ signal: aborting.signal }), { code: 'FST_BACKUP_ABORTED' })
  t.equal((await place.engine.list()).backups.length, 1, 'a call that was aborted before it began has no row')
})

t.test('the server process is killed during a run', async (t) => {
  const place = await useTwo(t, () => ({}))
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 200000)`
  const killed: Array<Promise<unknown>> = []
  const kill = (): void => {
    killed.push(place.sql`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'COPY%'`.execute())
  }
  await failsCleanly(t, place, { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 },
    async () => await place.engine.create({ onProgress: kill }))
  await Promise.all(killed)
  t.match(await place.engine.create({ excludeTables: ['large'] }), { status: 'completed' })
})

t.test('the database goes down during a run and comes back', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const gate = createGate()
  const engine = useEngine(t, { ...place, url: proxy.url }, {
    storage: storageFollowedBy(place.directory, async () => {
      await proxy.refuse()
      gate.open()
    })
  })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  t.equal((await readdir(place.directory)).length, 1, 'the file has no completed row yet')
  await proxy.accept()
  await until(async () => (await locksLeft(place.sql)).length === 0)
  // The engine that failed would heal by itself after 5 s
  const other = useEngine(t, place)
  await other.create()
  const { backups } = await other.list()
  matchEach(t, backups, [
    { status: 'completed', available: true }, { status: 'failed', available: false, error: /interrupted/ }
  ])
  t.strictSame(await readdir(place.directory), [backups[0]?.filename])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:failed'])
})
