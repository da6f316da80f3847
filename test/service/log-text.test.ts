import { createReadStream } from 'node:fs'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { createBackupLog } from '../../lib/log/backup-log.ts'
import { createStorableText } from '../../lib/log/storable-text.ts'
import type { Transaction } from '../../lib/postgres/driver/transaction.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { linesBesidesRuns, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { matchEach } from '../support/match-each.ts'
import { createGate, storageBehind, storageWith } from '../support/storage-double.ts'
import { editManifest } from '../snapshot/edit-manifest.ts'

// The log is in the database of the service, and the encoding of that may lack characters of names, notes and errors.

/** A database with a table `plain`. */
async function usePlain (t: Test, encoding = 'UTF8'): Promise<Place> {
  const place = { ...await useDatabase(t, { encoding }), directory: await useDirectory(t) }
  await place.sql`CREATE TABLE plain (id int)`
  return place
}

/** The path of a snapshot of a UTF-8 database with a table, a column and a note that no other encoding has. */
async function foreignSnapshot (t: Test): Promise<{ path: string, filename: string }> {
  const place = await usePlain(t)
  await place.sql.unsafe('INSERT INTO plain VALUES (7); CREATE TABLE "日本" (id int); ALTER TABLE plain ADD "語" int')
  const { filename } = await useEngine(t, place).create({ note: 'ノート', actor: 'Grüße' })
  return { path: join(place.directory, filename), filename }
}

/** Follows the events of a service until the test ends. */
async function follow (t: Test, engine: TestEngine): Promise<Array<[string, any]>> {
  const events: Array<[string, any]> = []
  const leaving = new AbortController()
  t.after(async () => { leaving.abort() })
  await engine.follow({
    after: 0n,
    signal: leaving.signal,
    onBatch (batch) { for (const { name, data } of batch.events) events.push([name, data]) },
    onEnd () {}
  })
  return events
}

for (const encoding of ['LATIN1', 'WIN1252']) {
  t.test(`a database in ${encoding} restores a snapshot with names that it cannot contain`, async (t) => {
    const { path } = await foreignSnapshot(t)
    const place = await usePlain(t, encoding)
    const engine = useEngine(t, place)
    const { id, note } = await engine.import(createReadStream(path))
    t.equal(note, '\\u30ce\\u30fc\\u30c8')
    await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SCHEMA_DRIFT', message: /日本/ })
    const { restore } = await engine.get(id)
    t.match(restore, { status: 'failed', error: /plain.\\u8a9e .*\\u65e5\\u672c is in the snapshot/ })
    const result = await engine.restore(id, { allowSchemaDrift: true, actor: '太郎' })
    t.match((await engine.get(id)), { status: 'restored', restoredBy: '\\u592a\\u90ce', restore: { by: /^\\u592a/ } })
    t.strictSame([...await place.sql`SELECT * FROM plain`], [{ id: 7 }])
    const events = await follow(t, useEngine(t, place))
    const failed = events.find(([name]) => name === 'restore:failed')
    t.match(failed?.[1].error, { code: 'FST_BACKUP_SCHEMA_DRIFT', message: /\\u65e5/ })
    t.strictSame(events.find(([name]) => name === 'restore:completed')?.[1].drift, result.drift)
    t.strictSame(result.drift.map(({ table }) => table), ['plain', '日本'])
  })
}

t.test('a name in the head of a file that no database can contain does not fail its restore', async (t) => {
  const place = await usePlain(t)
  const engine = useEngine(t, place)
  await place.sql`ALTER TABLE plain ADD gone int`
  const { filename } = await engine.create()
  await place.sql`ALTER TABLE plain DROP gone`
  const text = await readFile(join(place.directory, filename), 'utf8')
  for (const name of ['\\ud800', '\\u0000']) {
    const edited = editManifest(text, (json) => json.replace('"gone"', `"${name}"`))
    const { id } = await engine.import(Readable.from([edited]))
    const { drift } = await engine.restore(id, { allowSchemaDrift: true })
    matchEach(t, drift, [{ table: 'plain', column: JSON.parse(`"${name}"`) }])
  }
})

t.test('a backup is pruned whatever its file says about its origin', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  const { filename } = await engine.create()
  const text = await readFile(join(place.directory, filename), 'utf8')
  const hostile = editManifest(text, (json) => json.replace(/"database":"[^"]*"/, '"database":"\\ud800\\u0000"'))
  const { id } = await engine.import(Readable.from([hostile]))
  await engine.create()
  await engine.create()
  t.strictSame(linesBesidesRuns(engine), [])
  const pruned = (await follow(t, useEngine(t, place))).filter(([name]) => name === 'backup:pruned')
  t.strictSame(pruned.at(-1)?.[1].backup.origin.database, '\ud800\0')
  t.equal(pruned.at(-1)?.[1].backup.id, id)
})

t.test('notes and actors are stored where the encoding has their characters, and else in ASCII', async (t) => {
  const engine = useEngine(t, await usePlain(t, 'LATIN1'))
  const backup = await engine.create({ note: 'Grüße', actor: 'Jürgen' })
  t.match(backup, { note: 'Grüße', createdBy: 'Jürgen' })
  t.match(await engine.create({ note: 'Grüße 🦤', actor: '太郎' }),
    { note: 'Gr\\u00fc\\u00dfe \\ud83e\\udda4', createdBy: '\\u592a\\u90ce' })
  t.match(await engine.update(backup.id, { note: '語' }), { note: '\\u8a9e' })
  t.match(await engine.update(backup.id, { pinned: true }), { note: '\\u8a9e', pinned: true })
  t.match(await useEngine(t, await usePlain(t)).create({ note: 'Grüße 🦤' }), { note: 'Grüße 🦤' })
})

t.test('the error of a run is stored, and the run is recorded as failed', async (t) => {
  const place = await usePlain(t, 'LATIN1')
  const storage = storageWith(place.directory, {
    async publish () { throw Object.assign(new Error('満杯'), { code: '満杯' }) }
  })
  await t.rejects(useEngine(t, place, { storage }).create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  matchEach(t, (await useEngine(t, place).list()).backups, [{ status: 'failed', error: /\\u6e80\\u676f/ }])
})

t.test('progress is stored, whatever the names of the tables', async (t) => {
  const place = await usePlain(t, 'LATIN1')
  const gate = createGate()
  const engine = useEngine(t, place, { storage: storageBehind(place.directory, gate) })
  const { backup: { id }, finished } = await engine.beginCreate()
  await gate.reached
  const log = createBackupLog(place.sql as any, testSchema, () => new Date())
  await log.setProgress(id, { table: '日本 "\\u0000' } as any)
  t.equal((await engine.get(id)).progress?.table, '\\u65e5\\u672c "\\u0000')
  gate.open()
  await finished
  await log.setProgress(id, { table: 'late' } as any)
  t.equal((await engine.get(id)).progress, undefined, 'a run that has ended has none')
})

t.test('an adoption skips only the files whose schema the database cannot contain, and backups go on', async (t) => {
  const { path, filename } = await foreignSnapshot(t)
  const place = await usePlain(t, 'LATIN1')
  await copyFile(path, join(place.directory, filename))
  const other = editManifest(await readFile(path), (json) =>
    json.replace(`"schema":"${testSchema}"`, '"schema":"日本"'))
  const renamed = join(place.directory, 'other.json')
  await writeFile(renamed, other)
  const engine = useEngine(t, place)
  await t.rejects(engine.import(createReadStream(renamed)), {
    code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /encoding of this database lacks a character .* 日本/
  })
  await engine.create()
  matchEach(t, linesBesidesRuns(engine), [
    { level: 40, filename: 'other.json', reason: /^the encoding of the database/ }
  ])
  const { adopted } = await engine.rescan()
  t.strictSame(adopted, [])
  const { backups } = await engine.list()
  t.strictSame(backups.map(({ filename, note }) => [filename === 'other.json', note]).slice(1),
    [[false, '\\u30ce\\u30fc\\u30c8']])
})

t.test('a schema that the database cannot contain has no backups', async (t) => {
  const place = await usePlain(t, 'LATIN1')
  const schemas = [testSchema, '日本']
  const engine = useEngine(t, place, { schedule: { enabled: true, schemas } })
  await engine.create()
  t.strictSame(await engine.list({ schema: '日本' }), { backups: [], next: null })
  const { newest, problems } = await engine.status({ schema: '日本' })
  t.strictSame(newest, [])
  t.strictSame(problems.filter(({ code }) => code === 'log_unusable'), [])
  t.notSame((await engine.status({ after: '日本' })).newest, [], 'any text may be a cursor')
  await t.rejects(engine.create({ schema: '日本' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
})

t.test('a file whose name the database cannot contain has no row', async (t) => {
  const place = await usePlain(t, 'LATIN1')
  const log = createBackupLog(place.sql as any, testSchema, () => new Date())
  t.strictSame(await log.unknownFiles(['ü.json', '日本.json', 'a.json']), ['a.json', 'ü.json', '日本.json'])
})

t.test('an error that is unrelated to the text is passed on', async (t) => {
  const failing = { savepoint: async () => { throw new Error('lost') } } as unknown as Transaction
  const { toStorable } = createStorableText(async (work) => await work(failing))
  t.equal(await toStorable('a'), 'a')
  await t.rejects(toStorable('ü'), { message: 'lost' })
})

t.test('text that no database can store is escaped, and a backslash is no escape', async (t) => {
  const { toStorable, toStorableJson } = createStorableText(async () => { throw new Error('not asked') })
  t.equal(await toStorable('ü\0'), '\\u00fc\\u0000')
  t.equal(await toStorableJson({ path: 'C:\\ud800', half: '\ud800' }), '{"path":"C:\\\\ud800","half":"\\\\ud800"}')
})

t.test('a row that another replica has deleted is not deleted again', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const log = createBackupLog(place.sql as any, testSchema, () => new Date())
  await log.deleteRow(testSchema, id)
  await log.deleteRow(testSchema, id)
  t.strictSame(await engine.list(), { backups: [], next: null })
})
