import { createReadStream } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { type LogLine, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { useDirectory } from '../support/directory.ts'
import { matchEach } from '../support/match-each.ts'
import { until } from '../support/until.ts'
import { testSchema, useDatabase } from '../support/database.ts'

/** The lines from a level on, without what pino adds. Durations become true. */
function linesOf ({ lines }: TestEngine, from = 30): LogLine[] {
  return lines.filter(({ level }) => level >= from).map((line) => {
    const { time, pid, hostname, durationMs, phases, ...rest } = line
    return {
      ...rest,
      ...durationMs !== undefined && { durationMs: Number.isInteger(durationMs) },
      ...phases !== undefined && { phases: typeof phases }
    }
  })
}

const [debug, info, warn, error] = [20, 30, 40, 50] as const
const durationMs = true
const schema = testSchema

t.test('a backup has a line at its start and one at its end', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const { id, sizeBytes } = await engine.create()
  const run = { id, schema, trigger: 'manual' }
  t.strictSame(linesOf(engine, debug), [
    { level: info, ...run, msg: 'backup started' },
    { level: debug, ...run, phase: 'snapshot', msg: 'backup is in phase snapshot' },
    { level: info, ...run, durationMs, tables: 2, rows: 5, bytes: sizeBytes, msg: 'backup completed' }
  ], 'and says nothing about a prune that removes nothing')
})

t.test('a restore has them at level warn, and its phases at debug', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const { id, sizeBytes } = await engine.create()
  engine.lines.length = 0
  const { preRestoreId } = await engine.restore(id, { actor: 'ada' })
  const run = { id, schema }
  t.strictSame(linesOf(engine, debug), [
    { level: warn, ...run, by: 'ada', msg: 'restore started' },
    ...['verify', 'snapshot', 'load'].map((phase) =>
      ({ level: debug, ...run, phase, msg: `restore is in phase ${phase}` })),
    {
      level: warn,
      ...run,
      durationMs,
      preRestoreId,
      tables: 2,
      rows: 5,
      bytes: sizeBytes,
      phases: 'object',
      msg: 'restore completed'
    }
  ])
})

t.test('a verification has them, and the second one is an error for a damaged file', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename, sizeBytes: bytes } = await engine.create()
  engine.lines.length = 0
  await engine.verify(id)
  const run = { id, schema, trigger: 'manual' }
  t.strictSame(linesOf(engine), [
    { level: info, ...run, msg: 'verification started' },
    { level: info, ...run, durationMs, rows: 5, bytes, ok: true, problems: [], msg: 'verification completed' }
  ])
  await writeFile(join(place.directory, filename), 'Ada')
  await engine.verify(id)
  t.match(linesOf(engine).at(-1), { level: error, id, rows: null, ok: false, msg: 'verification completed' })
})

t.test('an import has them, and an invalid file is one error', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename, sizeBytes: bytes } = await engine.create()
  engine.lines.length = 0
  const { id } = await engine.import(createReadStream(join(place.directory, filename)))
  t.strictSame(linesOf(engine), [
    { level: info, id, trigger: 'import', msg: 'import started' },
    { level: info, id, trigger: 'import', durationMs, schema, tables: 2, rows: 5, bytes, msg: 'import completed' }
  ])
  engine.lines.length = 0
  await t.rejects(engine.import(Readable.from([Buffer.from('Ada')])), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  matchEach(t, linesOf(engine), [
    { level: info, msg: 'import started' },
    { level: error, code: 'FST_BACKUP_SNAPSHOT_INVALID', reason: /damaged/, msg: 'import failed' }
  ])
  t.notMatch(JSON.stringify(engine.lines), /Ada/)
})

t.test('an adoption has them if there is a file to adopt', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename, sizeBytes: bytes } = await engine.create()
  engine.lines.length = 0
  await engine.rescan()
  t.strictSame(linesOf(engine, debug), [])
  await copyFile(join(place.directory, filename), join(place.directory, 'copy.json'))
  await engine.rescan()
  t.strictSame(linesOf(engine), [
    { level: info, files: 1, msg: 'adoption of files started' },
    { level: info, durationMs, adopted: 1, missing: 0, rows: 5, bytes, msg: 'adoption of files completed' }
  ])
  engine.lines.length = 0
  const aborted = AbortSignal.abort()
  await writeFile(join(place.directory, 'other.json'), 'x')
  await t.rejects(engine.rescan({ signal: aborted }), { code: 'FST_BACKUP_ABORTED' })
  t.match(linesOf(engine).at(-1), { level: warn, code: 'FST_BACKUP_ABORTED', msg: 'adoption of files failed' })
})

t.test('a prune has them if it removes something', async (t) => {
  const engine = useEngine(t, await usePlace(t), { maxBackups: 1 })
  const { sizeBytes: bytes } = await engine.create()
  await engine.create()
  t.strictSame(linesOf(engine).slice(-2), [
    { level: info, schema, backups: 1, msg: 'pruning started' },
    { level: info, schema, durationMs, removed: 1, bytes, msg: 'pruning completed' }
  ])
})

t.test('a failed backup is logged once, an aborted one as a warning, and a refused call not at all', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await t.rejects(engine.create({ schema: 'nowhere' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
  t.strictSame(engine.lines, [])
  const aborting = new AbortController()
  engine.once('backup:started', () => { aborting.abort() })
  const { backup, finished } = await engine.beginCreate({ signal: aborting.signal })
  await t.rejects(finished, { code: 'FST_BACKUP_ABORTED' })
  const run = { id: backup.id, schema, trigger: 'manual' }
  matchEach(t, linesOf(engine), [
    { level: info, ...run, msg: 'backup started' },
    { level: warn, ...run, code: 'FST_BACKUP_ABORTED', reason: /by the caller/, durationMs, msg: 'backup failed' }
  ])
})

t.test('a failed restore is logged once', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  engine.lines.length = 0
  await place.sql`ALTER TABLE orders DROP COLUMN total`
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SCHEMA_DRIFT' })
  matchEach(t, linesOf(engine), [
    { level: warn, id, msg: 'restore started' },
    { level: error, id, code: 'FST_BACKUP_SCHEMA_DRIFT', msg: 'restore failed' }
  ])
})

t.test('a service without its database says that, and not that the storage belongs to another', async (t) => {
  const place = await usePlace(t)
  const url = new URL(place.url)
  url.port = '1'
  const engine = useEngine(t, { ...place, url: url.href })
  engine.start()
  const claims = (): LogLine[] => engine.lines.filter(({ msg }) => msg.includes('nothing is scheduled'))
  await until(() => claims().length > 0)
  matchEach(t, claims(), [{
    level: error,
    reason: /database is not available/,
    msg: 'the database is not available; until then nothing is scheduled, pruned or adopted; retrying'
  }])
})

t.test('a service whose role may not create the log says that, and how to grant it', async (t) => {
  const owned = { ...await useDatabase(t, { owner: 'plain' }), directory: await useDirectory(t) }
  await owned.sql`CREATE SCHEMA locked`
  const engine = useEngine(t, { url: owned.ownerUrl, directory: owned.directory }, { logSchema: 'locked' })
  engine.start()
  const line = (): LogLine | undefined => engine.lines.find(({ msg }) => msg.includes('nothing is scheduled'))
  await until(() => line() !== undefined)
  t.match(line(), { level: error, msg: /^the log of backups cannot be used;/, reason: /GRANT USAGE, CREATE ON SCHEMA/ })
})

t.test('the warning about files without a row names the first ten of them', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  const names = Array.from({ length: 12 }, (_, index) => `file-${String(index).padStart(2, '0')}.json`)
  for (const name of names) await writeFile(join(place.directory, name), '')
  engine.start()
  const line = (): LogLine | undefined => engine.lines.find(({ msg }) => msg.includes('have no row in the log'))
  await until(() => line() !== undefined)
  t.strictSame([line()?.level, line()?.files, line()?.names], [warn, 12, names.slice(0, 10)])
})

t.test('a deletion and each change have a line, without the text of the note', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename, sizeBytes: bytes } = await engine.create()
  engine.lines.length = 0
  await engine.update(id, { pinned: true, note: 'secret' })
  await engine.update(id, { pinned: true })
  await engine.update(id, { note: null, pinned: false, accepted: true })
  await engine.remove(id)
  const run = { level: info, id, schema, trigger: 'manual' }
  t.strictSame(linesOf(engine, debug), [
    { ...run, pinned: true, hasNote: true, msg: 'a backup was changed' },
    { ...run, pinned: false, accepted: true, hasNote: false, msg: 'a backup was changed' },
    { ...run, filename, status: 'completed', bytes, msg: 'a backup was deleted' }
  ])
})

t.test('files that a rescan misses are named', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  await engine.create()
  await rm(join(place.directory, filename))
  engine.lines.length = 0
  await engine.rescan()
  t.strictSame(linesOf(engine, debug), [
    { level: warn, files: 1, names: [filename], msg: 'files of backups are missing, and are no longer expected' }
  ])
})
