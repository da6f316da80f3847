import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import type { Backup, Progress } from '../../types/index.ts'
import { until } from '../postgres/backends.ts'
import { testSchema } from '../support/database.ts'
import { eventNames, type Place, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { type Link, useTcpProxy } from '../support/tcp-proxy.ts'

/** A snapshot of another service's. */
async function snapshotFile (place: Place, note?: string): Promise<{ backup: Backup, bytes: Buffer }> {
  const production = useEngine(t, place)
  const backup = await production.create(note === undefined ? {} : { note })
  return { backup, bytes: await readFile(join(place.directory, backup.filename)) }
}

const filesOf = async ({ directory }: Place): Promise<string[]> => await readdir(directory).catch(() => [])

/** That nothing of an import is left. */
async function nothingKept (t: { strictSame: (found: unknown, wanted: unknown) => unknown }, place: Place): Promise<void> {
  const engine = useEngine({ after () {} } as never, place)
  t.strictSame((await engine.list()).backups, [])
  t.strictSame(await filesOf(place), [])
  await engine.stop()
  await engine.close()
}

t.test('an import of a snapshot that leaves tables out is partial as well, and evicts no whole one', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const whole = await engine.create()
  const partial = await engine.create({ excludeTables: ['orders'] })
  const read = async ({ filename }: Backup): Promise<Readable> => Readable.from([await readFile(join(place.directory, filename))])
  const [wholeFile, partialFile] = [await read(whole), await read(partial)]
  const imported = [await engine.import(wholeFile), await engine.import(partialFile)]
  t.strictSame((await engine.list()).backups.map(({ id }) => id), [imported[1]?.id, imported[0]?.id, whole.id])
  const [row] = await place.sql`SELECT partial FROM backup_logs WHERE id = ${imported[1]?.id ?? ''}`
  t.equal(row?.partial, true)
})

t.test("production's snapshot is imported in staging, and restored there", async (t) => {
  const { backup, bytes } = await snapshotFile(await usePlace(t), 'before the migration')
  const staging = await usePlace(t)
  await staging.sql`DELETE FROM orders`
  const engine = useEngine(t, staging)
  const imported = await engine.import(Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]), { actor: 'ada' })
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
  t.ok((await readFile(join(staging.directory, imported.filename))).equals(bytes), 'the file is the same, to the byte')
  t.strictSame(await filesOf(staging), [imported.filename])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed'])
  t.strictSame(await engine.verify(imported.id), { ok: true, problems: [] })

  t.match(await engine.restore(imported.id), { rowCount: 5 })
  t.equal((await staging.sql`SELECT FROM orders`).length, 3)
  t.match(await engine.import(Readable.from([bytes]), { note: 'again' }), { trigger: 'import', note: 'again' }, 'as often as wanted')
})

t.test('whatever can be iterated over, in pieces of any size', async (t) => {
  const { backup, bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const path = join(place.directory, '..', `${backup.id}.json`)
  await writeFile(path, bytes)
  for (const source of [createReadStream(path), createReadStream(path, { encoding: 'utf8' }), Readable.from([...bytes].map((byte) => Buffer.from([byte]))), Readable.toWeb(createReadStream(path)) as unknown as Readable]) {
    t.match(await engine.import(source), { checksum: backup.checksum, note: null })
  }
})

t.test('what is no sound snapshot is refused, and nothing is kept', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const text = bytes.toString()
  for (const [what, content] of Object.entries({
    nothing: '',
    'no JSON': 'hello',
    'other JSON': '{"a":1}',
    'a part': text.slice(0, -3),
    'more than it': `${text}x`,
    'another value': text.replace('Ada', 'Eve'),
    'a row less': text.replace(/^\{"id":"1","name":"Ada"\},\n/m, ''),
    'other totals': text.replace('"totalRows":5', '"totalRows":6'),
    'an impossible schema': text.replaceAll(`"schema":"${testSchema}"`, `"schema":"${'x'.repeat(64)}"`)
  })) {
    await t.rejects(engine.import(Readable.from([Buffer.from(content)])), { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 }, what)
  }
  t.strictSame(eventNames(engine), [])
  await nothingKept(t, place)
})

t.test('not one bit may differ in the data, or in what the manifest says of them', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const data = bytes.indexOf('"data":')
  for (let position = data; position < bytes.length - 1; position += 3) {
    const flipped = Buffer.from(bytes)
    flipped[position] = (flipped[position] as number) ^ (1 << (position % 8))
    await t.rejects(engine.import(Readable.from([flipped])), { code: 'FST_BACKUP_SNAPSHOT_INVALID' }, `byte ${position}`)
  }
  await nothingKept(t, place)
})

t.test('what callers may not name does not come in by a file', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place, { schema: 'tenant', schemas: ['tenant'], logSchema: testSchema })
  await t.rejects(engine.import(Readable.from([bytes])), { code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED', statusCode: 403 })
  await nothingKept(t, place)
})

t.test('a source that fails, is no source, or goes quiet', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const failing = async function * (): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 200)
    throw Object.assign(new Error('secret'), { code: 'ECONNRESET' })
  }
  await t.rejects(engine.import(Readable.from(failing())), { code: 'FST_BACKUP_IMPORT_INTERRUPTED', statusCode: 400, message: /Error ECONNRESET/ })
  await t.rejects(engine.import(Readable.from([{ a: 1 }])), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  for (const source of [undefined, null, 'file.json', bytes]) {
    await t.rejects(engine.import(source as unknown as Readable), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  }
  await t.rejects(engine.import(Readable.from([bytes]), { nte: 'x' } as object), { code: 'FST_BACKUP_ARGUMENT_INVALID' })

  const quiet = new PassThrough()
  quiet.write(bytes.subarray(0, 200))
  const caller = new AbortController()
  const stopped = t.rejects(engine.import(quiet, { signal: caller.signal }), { code: 'FST_BACKUP_ABORTED' })
  await until(async () => (await filesOf(place)).length > 0)
  caller.abort()
  await stopped
  t.notOk(quiet.destroyed, 'it is left to its owner')

  const ended = t.rejects(engine.import(quiet), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  await until(async () => (await filesOf(place)).length > 0)
  await engine.stop()
  await ended
  await nothingKept(t, place)
})

t.test('while it is published, nobody takes it for dead; a replica that dies at it is healed', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const publishing = createGate()
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      await publishing.pass()
      await storage.publish(spoolPath, name)
    }
  })
  const engine = useEngine(t, place, { storage })
  const importing = engine.import(Readable.from([bytes]))
  await publishing.reached
  const replica = useEngine(t, place)
  await replica.create()
  t.strictSame((await replica.list({ trigger: 'import' })).backups.map(({ status, available }) => ({ status, available })),
    [{ status: 'running', available: false }], 'a backup beside it heals, and leaves it')
  publishing.open()
  const { id } = await importing
  t.match(await replica.get(id), { status: 'completed', available: true })

  await place.sql`UPDATE backup_logs SET status = 'running' WHERE id = ${id}`
  await replica.create()
  t.match(await replica.get(id), { status: 'failed', error: /interrupted/ })
  t.notOk((await filesOf(place)).some((name) => name.startsWith('.')))
})

t.test('a storage that fails leaves a failed row and no file', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const storage = storageWith(place.directory, { publish: async () => { throw Object.assign(new Error('secret'), { code: 'EIO' }) } })
  const engine = useEngine(t, place, { storage })
  await t.rejects(engine.import(Readable.from([bytes])), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.match((await engine.list()).backups, [{ status: 'failed', trigger: 'import', error: /EIO/ }])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:failed'])
  t.strictSame(await filesOf(place), [])
})

t.test('it counts from its import: the oldest ones make room', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  await engine.create()
  const full = await engine.create()
  const [, second, third] = [await engine.import(Readable.from([bytes])), await engine.import(Readable.from([bytes])), await engine.import(Readable.from([bytes]))]
  t.strictSame((await engine.list()).backups.map(({ id }) => id), [third.id, second.id, full.id], 'the newest full one of this service stays besides')
  t.strictSame(eventNames(engine).filter((name) => name === 'backup:pruned').length, 2)
})

t.test('who asks follows it, and what he throws is his own affair', async (t) => {
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
  t.ok(engine.lines.some(({ msg }) => msg.includes('onProgress')))
})

t.test('a database that is away when all has arrived gets nothing, and nothing is kept', async (t) => {
  const { bytes } = await snapshotFile(await usePlace(t))
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  const arriving = async function * (): AsyncGenerator<Buffer> {
    yield bytes
    await proxy.refuse()
  }
  await t.rejects(engine.import(Readable.from(arriving())), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  t.strictSame(eventNames(engine), [])
  await proxy.accept()
  await nothingKept(t, place)
})

t.test('an import whose completion was noted, and only the answer was lost, is completed', async (t) => {
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

t.test('a source that fails when nobody wants it any more troubles nobody', async (t) => {
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
  await t.rejects(engine.import(source as unknown as Readable, { signal: caller.signal }), { code: 'FST_BACKUP_ABORTED' })
  await new Promise((resolve) => { setImmediate(resolve) })
})

t.test('uploads that hardly come in keep nobody from reading what is there', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const backup = await engine.create()
  const giveUp = new AbortController()
  const uploads = [1, 2, 3].map(async () => await engine.import(new PassThrough(), { signal: giveUp.signal }))
  t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
  t.strictSame(await engine.rescan(), { adopted: [], missing: [] })
  giveUp.abort()
  t.match(await Promise.allSettled(uploads), uploads.map(() => ({ reason: { code: 'FST_BACKUP_ABORTED' } })))
})

t.test('a file from elsewhere may not exceed the limits, while own snapshots may', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) VALUES (${'x'.repeat(5000)})`
  for (const worker of [false, true]) {
    for (const [limits, what] of [[{ rowBytes: 5000 }, /a row is longer than option limits.rowBytes allows \(5000 bytes\)/], [{ manifestBytes: 300 }, /limits.manifestBytes/]] as const) {
      const engine = useEngine(t, place, { limits, worker })
      const backup = await engine.create()
      const bytes = await readFile(join(place.directory, backup.filename))
      const files = await filesOf(place)
      await t.rejects(engine.import(Readable.from([bytes])), { code: 'FST_BACKUP_LIMIT_EXCEEDED', statusCode: 413, message: what })
      t.strictSame(await filesOf(place), files, 'nothing is kept')
      t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
      t.match(await engine.restore(backup.id), { rowCount: 6 })
      await place.sql`DELETE FROM backup_logs WHERE id = ${backup.id}`
      t.strictSame((await engine.rescan()).adopted, [])
      t.match(engine.lines.filter(({ filename }) => filename === backup.filename).at(-1)?.reason, what)
    }
  }
})
