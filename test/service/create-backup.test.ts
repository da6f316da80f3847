import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import t from 'tap'
import { qualifiedName, quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import type { Backup, Progress } from '../../types/index.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { connectionOf, createShop, eventNames, useEngine, usePlace } from '../support/engine.ts'
import { cancelBlocked } from '../support/backends.ts'
import { testSchema } from '../support/database.ts'
import { matchEach } from '../support/match-each.ts'

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

t.test('a backup is a row and a file with the same checksum and size', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const before = Date.now()
  const backup = await engine.create({ note: 'before the migration', actor: 'ada' })
  const after = Date.now()

  t.match(backup, {
    schema: testSchema,
    status: 'completed',
    trigger: 'manual',
    compression: 'none',
    tableCount: 2,
    rowCount: 5,
    available: true,
    error: null,
    createdBy: 'ada',
    cron: null,
    note: 'before the migration',
    pinned: false,
    restoredAt: null,
    restoredBy: null,
    restore: null
  })
  t.equal(backup.filename, `${testSchema}_${backup.startedAt.replaceAll(/[:.]/g, '-')}.json`)
  const [startedAt, finishedAt] = [Date.parse(backup.startedAt), Date.parse(backup.finishedAt ?? '')]
  t.ok(before <= startedAt && startedAt <= finishedAt && finishedAt <= after)
  t.equal(backup.durationMs, finishedAt - startedAt)

  const bytes = await readFile(join(place.directory, backup.filename))
  t.equal(backup.sizeBytes, bytes.length)
  const { manifest } = JSON.parse(bytes.toString())
  t.equal(manifest.checksum, backup.checksum)
  const [start, end] = [bytes.indexOf('{"version"'), bytes.indexOf(`,"checksum":"${backup.checksum}"}`)]
  t.equal(backup.checksum, sha256(bytes.subarray(start, end)))
  for (const { offset, bytes: size, checksum } of manifest.tables) {
    t.equal(checksum, sha256(bytes.subarray(offset, offset + size)))
  }
  t.match(manifest, {
    id: backup.id,
    createdAt: backup.startedAt,
    trigger: 'manual',
    note: 'before the migration',
    totalRows: 5,
    totalTables: 2
  })
  t.strictSame(await readdir(place.directory), [backup.filename], 'no partial file is left')
  t.strictSame(await engine.get(backup.id), backup)
})

t.test('the log table is always excluded; a call adds tables to the option excludeTables', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE audit (id int)`
  const engine = useEngine(t, place, { excludeTables: [`${testSchema}.audit`] })
  const backup = await engine.create({ excludeTables: ['orders'] })
  const { manifest } = JSON.parse(String(await readFile(join(place.directory, backup.filename))))
  t.strictSame(manifest.tables.map(({ name }: { name: string }) => name), ['users'])
  t.strictSame([backup.partial, backup.excludedTables], [true, ['audit', 'orders']], 'and not the log table')
  t.strictSame(await engine.get(backup.id), backup)
  t.strictSame((await engine.list()).backups, [backup])
  const full = await engine.create()
  t.strictSame([full.partial, full.excludedTables], [false, []], 'the configuration makes no snapshot partial')
})

t.test('a call that leaves out a table that does not exist is refused and leaves no row', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { excludeTables: ['no_such_table'] })
  for (const name of ['ordrs', 'other.orders', `${testSchema}.ordrs`]) {
    await t.rejects(engine.create({ excludeTables: ['orders', name] }), {
      code: 'FST_BACKUP_ARGUMENT_INVALID',
      statusCode: 400,
      message: `excludeTables names no table of the schema ${testSchema}: ${name}`
    })
  }
  t.strictSame((await engine.list()).backups, [])
  t.strictSame(await readdir(place.directory), [])
  const excludeTables = [`${testSchema}.orders`, 'backup_logs']
  t.strictSame((await engine.create({ excludeTables })).excludedTables, ['orders'])
})

t.test('events are emitted in order, and beginCreate() resolves with the running backup', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const reports: Progress[] = []
  const { backup, finished } = await engine.beginCreate({ onProgress: (progress) => reports.push(progress) })
  t.match(backup, {
    status: 'running', available: false, sizeBytes: null, checksum: null, finishedAt: null, durationMs: null
  })
  const completed = await finished
  t.equal(completed.id, backup.id)
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed'])
  t.strictSame(engine.events[0], ['backup:started', backup])
  t.strictSame(engine.events.at(-1), ['backup:completed', completed])
  t.strictSame(reports.at(-1), {
    phase: 'snapshot',
    table: null,
    tables: 2,
    tablesDone: 2,
    rows: 5,
    rowsTotal: 5,
    bytes: completed.sizeBytes,
    bytesTotal: completed.sizeBytes,
    estimated: false,
    percent: 100,
    etaMs: 0
  })
  const [, progress] = engine.events.find(([name]) => name === 'backup:progress') ?? []
  t.strictSame(progress, { id: backup.id, progress: reports[0] })
})

t.test('schemas and tables may have any name', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const longest = 'ж'.repeat(31) + 'x'
  for (const schema of ['a"b', '../x', '__proto__', 'select', longest, "it's", 'a.b', 'C:\\x', 'x%2e']) {
    await createShop(place, schema)
    const table = qualifiedName(schema, schema)
    const column = quoteIdentifier(schema)
    await place.sql.unsafe(`CREATE TABLE ${table} (${column} text)`)
    await place.sql.unsafe(`INSERT INTO ${table} VALUES ($1)`, [schema])
    const backup = await engine.create({ schema })
    t.match(backup, { schema, status: 'completed', tableCount: 3, rowCount: 6 }, schema)
    t.match(backup.filename, /^[A-Za-z0-9%_-]+\.json$/)

    await place.sql.unsafe(`DELETE FROM ${table}`)
    await engine.restore(backup.id)
    t.strictSame([...await place.sql.unsafe(`SELECT ${column} AS value FROM ${table}`)], [{ value: schema }])
  }
  t.strictSame((await readdir(place.directory)).filter((name) => !name.endsWith('.json')), [])
})

t.test('of concurrent backups of a schema, the others are refused and leave nothing', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const other = useEngine(t, place)
  const outcomes = await Promise.allSettled([engine.create(), other.create(), engine.create()])
  const made = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason)
  t.ok(made.length >= 1)
  for (const error of refused) t.match(error, { code: 'FST_BACKUP_BUSY', statusCode: 409 })
  const { backups } = await engine.list()
  t.equal(backups.length, made.length, 'a refused call has no row')
  t.equal((await readdir(place.directory)).length, made.length)
  const names = [...eventNames(engine), ...eventNames(other)]
  t.strictSame([...new Set(names)].sort(), ['backup:completed', 'backup:started'])
})

t.test('runs that begin in the same millisecond have different files', async (t) => {
  const place = await usePlace(t)
  const now = new Date('2026-11-22T17:45:00.123Z')
  const engine = useEngine(t, place, {}, { now: () => now, wait: async () => {} })
  const first = await engine.create()
  const second = await engine.create()
  t.equal(first.filename, `${testSchema}_2026-11-22T17-45-00-123Z.json`)
  t.equal(second.filename, `${testSchema}_2026-11-22T17-45-00-124Z.json`)
  const time = '2026-11-22T17:45:00.124Z'
  t.match(second, { startedAt: time, finishedAt: time, durationMs: 0 }, 'no duration is negative')
})

t.test('a replica that begins in the same millisecond is refused, except for an import', async (t) => {
  const place = await usePlace(t)
  const clock = createManualClock('2026-11-22T10:00:00.000Z')
  const [engine, other] = [useEngine(t, place, {}, clock), useEngine(t, place, {}, clock)]
  const { id, filename } = await engine.create()
  const file = await readFile(join(place.directory, filename))
  const busy = { code: 'FST_BACKUP_BUSY', statusCode: 409, message: /same millisecond/ }
  await t.rejects(other.create(), busy)
  await clock.advance(1)
  t.match(await other.create(), { status: 'completed' })

  const third = useEngine(t, place, {}, clock)
  await place.sql`DELETE FROM orders`
  await t.rejects(third.restore(id), busy)
  t.strictSame([...await place.sql`SELECT FROM orders`], [], 'nothing was restored')
  t.match(await third.get(id), { status: 'completed', restore: { status: 'failed' } })

  const imported = await useEngine(t, place, {}, clock).import(Readable.from([file]))
  const startedAt = '2026-11-22T10:00:00.002Z'
  t.match(imported, { status: 'completed', startedAt }, 'an import takes the next millisecond')
  t.equal((await engine.list()).backups.length, 3)
  t.ok(file.equals(await readFile(join(place.directory, imported.filename))))
  t.ok(file.equals(await readFile(join(place.directory, filename))))
})

t.test('three backups on a pool of two connections run one after another without a deadlock', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { connection: { ...connectionOf(place.url), max: 2 } })
  for (const schema of ['a', 'b', 'c']) await createShop(place, schema)
  const backups: Backup[] = await Promise.all(['a', 'b', 'c'].map(async (schema) => await engine.create({ schema })))
  const found = backups.map(({ schema, status }) => `${schema} ${status}`)
  t.strictSame(found, ['a completed', 'b completed', 'c completed'])
})

t.test('engines that share a pool of two connections do not deadlock', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const sql = postgres(place.url, { max: 2, onnotice () {} })
  t.after(async () => { await sql.end() })
  const [one, other] = [useEngine(t, place, { sql }), useEngine(t, place, { sql, schema: 'tenant' })]
  const calls = [one.create(), other.create(), one.create({ schema: 'tenant' }).catch(() => null)]
  const backups = await Promise.all(calls)
  matchEach(t, backups.slice(0, 2), [
    { schema: testSchema, status: 'completed' }, { schema: 'tenant', status: 'completed' }
  ])
})

t.test('the totals of the progress are those of the catalog, and then those of the last snapshot', async (t) => {
  const place = await usePlace(t)
  // A read of the socket contains few of these rows
  await place.sql`CREATE TABLE events AS SELECT id, repeat('x', 30000) AS text FROM generate_series(1, 300) id`
  await place.sql`ANALYZE`
  const engine = useEngine(t, place)
  const firstReport = async (): Promise<unknown> => {
    const reports: Progress[] = []
    await engine.create({ onProgress: (progress) => reports.push(progress) })
    const [{ table, rows = 0, rowsTotal, bytesTotal, estimated } = {}] = reports
    return { table, isSoon: rows >= 256 && rows < 300, rowsTotal, bytesTotal, estimated }
  }
  const first = { table: 'events', isSoon: true, rowsTotal: 305, bytesTotal: null, estimated: true }
  t.strictSame(await firstReport(), first)
  const [{ sizeBytes } = {}] = (await engine.list()).backups
  await place.sql`INSERT INTO events SELECT * FROM events`
  await place.sql`ANALYZE`
  t.strictSame(await firstReport(), { ...first, bytesTotal: sizeBytes })
})

t.test('a backup does not wait for a locked sequence with its tables locked, but starts over', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE SEQUENCE tickets`
  const blocker = await place.sql.reserve()
  await blocker`BEGIN`
  await blocker`ALTER SEQUENCE tickets RENAME TO passes`
  const engine = useEngine(t, place)
  const created = engine.create()
  await cancelBlocked(place.sql, 1)
  await blocker`ROLLBACK`
  blocker.release()
  t.match(await created, { status: 'completed', rowCount: 5 })
  t.equal((await engine.list()).backups.length, 1)
})
