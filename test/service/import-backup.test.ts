import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { Backup, Progress } from '../../types/index.ts'
import { until } from '../support/until.ts'
import { testSchema } from '../support/database.ts'
import { matchEach } from '../support/match-each.ts'
import { eventNames, type Place, useEmptyDatabase, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageBehind, storageWith } from '../support/storage-double.ts'
import { type Link, useTcpProxy } from '../support/tcp-proxy.ts'
import { editManifest } from '../snapshot/edit-manifest.ts'

/** A snapshot of another service. */
async function snapshotFile (place: Place, note?: string): Promise<{ backup: Backup, bytes: Buffer }> {
  const production = useEngine(t, place)
  const backup = await production.create(note === undefined ? {} : { note })
  return { backup, bytes: await readFile(join(place.directory, backup.filename)) }
}

const filesOf = async ({ directory }: Place): Promise<string[]> => await readdir(directory).catch(() => [])

/** Asserts that neither a row nor a file of an import is left. */
async function nothingKept (t: Test, place: Place): Promise<void> {
  t.strictSame((await useEngine(t, place).list()).backups, [])
  t.strictSame(await filesOf(place), [])
}

t.test('an import of a partial snapshot is partial, and evicts no full snapshot', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const full = await engine.create()
  const partial = await engine.create({ excludeTables: ['orders'] })
  const read = async ({ filename }: Backup): Promise<Readable> =>
    Readable.from([await readFile(join(place.directory, filename))])
  const [fullFile, partialFile] = [await read(full), await read(partial)]
  const imported = [await engine.import(fullFile), await engine.import(partialFile)]
  t.strictSame((await engine.list()).backups.map(({ id }) => id), [imported[1]?.id, imported[0]?.id, full.id])
  const [row] = await place.sql`SELECT partial FROM backup_logs WHERE id = ${imported[1]?.id ?? ''}`
  t.equal(row?.partial, true)
})

t.test('an import shows where its file comes from', async (t) => {
  const production = await usePlace(t)
  const { backup, bytes } = await snapshotFile(production)
  t.equal(backup.origin, null)
  const staging = await usePlace(t)
  const engine = useEngine(t, staging)
  const imported = await engine.import(Readable.from([bytes]))
  const { server } = (await production.sql`SELECT current_setting('server_version') AS server`)[0] ?? {}
  const origin = {
    id: backup.id, createdAt: backup.startedAt, database: new URL(production.url).pathname.slice(1), postgres: server
  }
  t.strictSame(imported.origin, origin)
  t.strictSame((await engine.get(imported.id)).origin, origin)
  const { preRestoreId } = await engine.restore(imported.id)
  t.equal((await engine.get(preRestoreId)).origin, null)

  const emptied = useEngine(t, await useEmptyDatabase(t, staging))
  await emptied.rescan()
  t.strictSame((await emptied.get(backup.id)).origin, origin, 'after the loss of the log it is adopted as an import')
  t.equal((await emptied.get(preRestoreId)).origin, null)
})

t.test('the origin has bounded texts of any character', async (t) => {
  const place = await usePlace(t)
  const { bytes } = await snapshotFile(place)
  const database = `\u0000\ud800店"${'x'.repeat(300)}`
  const edited = editManifest(bytes, (json) =>
    json.replace(/"database":"[^"]*"/, () => `"database":${JSON.stringify(database)}`)
      .replace(/"createdAt":"[^"]*"/, '"createdAt":"2026-11-22T19:45+02:00"'))
  const { id, origin } = await useEngine(t, place).import(Readable.from([edited]))
  t.equal(origin?.database, database.slice(0, 200))
  t.equal(origin?.createdAt, '2026-11-22T17:45:00.000Z')
  const emptied = useEngine(t, await useEmptyDatabase(t, place))
  const { adopted } = await emptied.rescan()
  t.strictSame(adopted.map(({ origin }) => origin), [null, origin], 'adopted as well')
  t.not(adopted[1]?.id, id)
})

t.test('a snapshot of production is imported and restored in staging', async (t) => {
  const { backup, bytes } = await snapshotFile(await usePlace(t), 'before the migration')
  const staging = await usePlace(t)
  await staging.sql`DELETE FROM orders`
  const engine = useEngine(t, staging)
  const source = Readable.from([bytes.subarray(0, 100), bytes.subarray(100)])
  const imported = await engine.import(source, { actor: 'ada' })
  t.match(imported, {
    status: 'completed',
    trigger: 'import',
    schema: testSchema,
    available: true,
    createdBy: 'ada',
    note: 'before the migration',
    checksum: backup.checksum,
    sizeBytes: bytes.length,
    rowCount: 5,
    tableCount: 2,
    pinned: false,
    error: null
  })
  t.not(imported.id, backup.id)
  const stored = await readFile(join(staging.directory, imported.filename))
  t.ok(stored.equals(bytes), 'the file is the same, byte for byte')
  t.strictSame(await filesOf(staging), [imported.filename])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed'])
  t.strictSame(await engine.verify(imported.id), { ok: true, problems: [] })

  t.match(await engine.restore(imported.id), { rowCount: 5 })
  t.equal((await staging.sql`SELECT FROM orders`).length, 3)
  const again = await engine.import(Readable.from([bytes]), { note: 'again' })
  t.match(again, { trigger: 'import', note: 'again' }, 'a file can be imported repeatedly')
})

t.test('the source is any async iterable, in chunks of any size', async (t) => {
  const { backup, bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const path = join(place.directory, '..', `${backup.id}.json`)
  await writeFile(path, bytes)
  for (const source of [
    createReadStream(path),
    createReadStream(path, { encoding: 'utf8' }),
    Readable.from([...bytes].map((byte) => Buffer.from([byte]))),
    Readable.toWeb(createReadStream(path)) as unknown as Readable
  ]) {
    t.match(await engine.import(source), { checksum: backup.checksum, note: null })
  }
})

t.test('an invalid snapshot is refused, and nothing is kept', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const text = bytes.toString()
  const invalid = { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 }
  for (const [what, content] of Object.entries({
    nothing: '',
    'no JSON': 'hello',
    'other JSON': '{"a":1}',
    'a prefix': text.slice(0, -3),
    'additional text': `${text}x`,
    'another value': text.replace('Ada', 'Eve'),
    'a row less': text.replace(/^\{"id":"1","name":"Ada"\},\n/m, ''),
    'other totals': text.replace('"totalRows":5', '"totalRows":6'),
    'an impossible schema': text.replaceAll(`"schema":"${testSchema}"`, `"schema":"${'x'.repeat(64)}"`)
  })) {
    await t.rejects(engine.import(Readable.from([Buffer.from(content)])), invalid, what)
  }
  t.strictSame(eventNames(engine), [])
  await nothingKept(t, place)
})

t.test('the error of an invalid snapshot lists every problem', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const engine = useEngine(t, await usePlace(t))
  const changed = bytes.toString().replace('Ada', 'Eve').replace('"totalRows":5', '"totalRows":6')
  const error: any = await engine.import(Readable.from([Buffer.from(changed)])).catch((error: unknown) => error)
  t.strictSame(error.problems, [
    'the manifest says 6 rows in all, and 5 for its tables together',
    'its manifest does not match the checksum in the manifest',
    'the rows of table "users" do not match their checksum in the manifest'
  ])
  t.equal(error.message, `The snapshot file is damaged or was changed: ${error.problems.join('; ')}`)
})

t.test('no bit of the data may differ', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const data = bytes.indexOf('"data":')
  const invalid = { code: 'FST_BACKUP_SNAPSHOT_INVALID' }
  for (let position = data; position < bytes.length - 1; position += 3) {
    const flipped = Buffer.from(bytes)
    flipped[position] = (flipped[position] as number) ^ (1 << (position % 8))
    await t.rejects(engine.import(Readable.from([flipped])), invalid, `byte ${position}`)
  }
  await nothingKept(t, place)
})

t.test('a file of a schema that the caller may not use is refused', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place, { schema: 'tenant', schemas: ['tenant'], logSchema: testSchema })
  await t.rejects(engine.import(Readable.from([bytes])), { code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED', statusCode: 403 })
  await nothingKept(t, place)
})

t.test('a source that fails, is invalid, or stalls', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const failing = async function * (): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 200)
    throw Object.assign(new Error('secret'), { code: 'ECONNRESET' })
  }
  const interrupted = { code: 'FST_BACKUP_IMPORT_INTERRUPTED', statusCode: 400, message: /Error ECONNRESET/ }
  await t.rejects(engine.import(Readable.from(failing())), interrupted)
  const invalid = { code: 'FST_BACKUP_ARGUMENT_INVALID' }
  await t.rejects(engine.import(Readable.from([{ a: 1 }])), invalid)
  for (const source of [undefined, null, 'file.json', bytes]) {
    await t.rejects(engine.import(source as unknown as Readable), invalid)
  }
  await t.rejects(engine.import(Readable.from([bytes]), { nte: 'x' } as object), invalid)

  const quiet = new PassThrough()
  quiet.write(bytes.subarray(0, 200))
  const caller = new AbortController()
  const stopped = t.rejects(engine.import(quiet, { signal: caller.signal }), { code: 'FST_BACKUP_ABORTED' })
  await until(async () => (await filesOf(place)).length > 0)
  caller.abort()
  await stopped
  t.notOk(quiet.destroyed, 'the source is left to the caller')

  const ended = t.rejects(engine.import(quiet), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  await until(async () => (await filesOf(place)).length > 0)
  await engine.stop()
  await ended
  await nothingKept(t, place)
})

t.test('healing leaves an import that is being published, and fails one whose process died', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const publishing = createGate()
  const storage = storageBehind(place.directory, publishing)
  const engine = useEngine(t, place, { storage })
  const importing = engine.import(Readable.from([bytes]))
  await publishing.reached
  const replica = useEngine(t, place)
  await replica.create()
  const { backups: imports } = await replica.list({ trigger: 'import' })
  matchEach(t, imports, [{ status: 'running', available: false }])
  publishing.open()
  const { id } = await importing
  t.match(await replica.get(id), { status: 'completed', available: true })

  await place.sql`UPDATE backup_logs SET status = 'running' WHERE id = ${id}`
  await replica.create()
  t.match(await replica.get(id), { status: 'failed', error: /interrupted/ })
  t.strictSame((await filesOf(place)).filter((name) => name.startsWith('.')), [])
})

t.test('a storage that fails leaves a failed row and no file', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const storage = storageWith(place.directory, {
    publish: async () => { throw Object.assign(new Error('secret'), { code: 'EIO' }) }
  })
  const engine = useEngine(t, place, { storage })
  await t.rejects(engine.import(Readable.from([bytes])), { code: 'FST_BACKUP_STORAGE_FAILED' })
  matchEach(t, (await engine.list()).backups, [{ status: 'failed', trigger: 'import', error: /EIO/ }])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:failed'])
  t.strictSame(await filesOf(place), [])
})

t.test('the age of an import is the time of its import; the oldest imports are pruned', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  await engine.create()
  const full = await engine.create()
  await engine.import(Readable.from([bytes]))
  const second = await engine.import(Readable.from([bytes]))
  const third = await engine.import(Readable.from([bytes]))
  const ids = (await engine.list()).backups.map(({ id }) => id)
  t.strictSame(ids, [third.id, second.id, full.id], 'the newest full snapshot of this service is kept, too')
  t.strictSame(eventNames(engine).filter((name) => name === 'backup:pruned').length, 2)
})

t.test('onProgress receives the progress, and its errors are only logged', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const engine = useEngine(t, await usePlace(t))
  const reports: Progress[] = []
  await engine.import(Readable.from([bytes]), {
    onProgress (progress) {
      reports.push(progress)
      throw new Error('mine')
    }
  })
  t.match(reports.at(-1), { phase: 'verify', table: null, rows: 5, tables: 2, tablesDone: 2 })
  t.match(engine.lines.find(({ msg }) => msg.includes('onProgress')), { level: 50, id: /^[0-9a-f-]{36}$/ })
})

t.test('when the database is down after the file has arrived, nothing is kept', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  const arriving = async function * (): AsyncGenerator<Buffer> {
    yield bytes
    await proxy.refuse()
  }
  const unavailable = { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 }
  await t.rejects(engine.import(Readable.from(arriving())), unavailable)
  t.strictSame(eventNames(engine), [])
  await proxy.accept()
  await nothingKept(t, place)
})

t.test('an import is completed when only the answer to its COMMIT is lost', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  let committing: Link | undefined
  proxy.onSent = (text, link) => {
    if (text.includes("status = 'completed'")) committing = link
    else if (committing === link && /commit/i.test(text)) link.loseAnswer()
  }
  const backup = await engine.import(Readable.from([bytes]))
  t.match(backup, { status: 'completed', available: true })
  t.strictSame(await engine.get(backup.id), backup)
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed'])
})

t.test('an error of the source after an abort is ignored', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const engine = useEngine(t, await usePlace(t))
  const caller = new AbortController()
  let asked = 0
  const source = {
    [Symbol.asyncIterator]: () => ({
      async next () {
        if (asked++ > 0) throw new Error('gone')
        caller.abort()
        return { done: false, value: bytes.subarray(0, 100) }
      }
    })
  }
  const importing = engine.import(source as unknown as Readable, { signal: caller.signal })
  await t.rejects(importing, { code: 'FST_BACKUP_ABORTED' })
  // Time for an unhandled rejection
  await new Promise((resolve) => { setImmediate(resolve) })
})

t.test('slow uploads do not delay the reading of other files', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const backup = await engine.create()
  const caller = new AbortController()
  const uploads = [1, 2, 3].map(async () => await engine.import(new PassThrough(), { signal: caller.signal }))
  t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
  t.strictSame(await engine.rescan(), { adopted: [], missing: [] })
  caller.abort()
  const outcomes = await Promise.allSettled(uploads)
  const aborted = 'FST_BACKUP_ABORTED'
  t.strictSame(outcomes.map((outcome) => 'reason' in outcome && outcome.reason.code), [aborted, aborted, aborted])
})

t.test('the limits apply to imported files, and not to snapshots of this service', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) VALUES (${'x'.repeat(5000)})`
  for (const worker of [false, true]) {
    for (const [limits, message] of [
      [{ rowBytes: 5000 }, /limits\.rowBytes/], [{ manifestBytes: 300 }, /limits\.manifestBytes/]
    ] as const) {
      const engine = useEngine(t, place, { limits, worker })
      const backup = await engine.create()
      const bytes = await readFile(join(place.directory, backup.filename))
      const files = await filesOf(place)
      const exceeded = { code: 'FST_BACKUP_LIMIT_EXCEEDED', statusCode: 413, message }
      await t.rejects(engine.import(Readable.from([bytes])), exceeded)
      t.strictSame(await filesOf(place), files, 'nothing is kept')
      t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
      t.match(await engine.restore(backup.id), { rowCount: 6 })
      await place.sql`DELETE FROM backup_logs WHERE id = ${backup.id}`
      t.strictSame((await engine.rescan()).adopted, [])
      t.match(engine.lines.filter(({ filename }) => filename === backup.filename).at(-1)?.reason, message)
    }
  }
})
