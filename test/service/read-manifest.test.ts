import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'

t.test('the manifest is that of the file, of which only the head is read', async (t) => {
  const place = await usePlace(t)
  let bytesRead = 0
  const streams: Readable[] = []
  const storage = storageWith(place.directory, {
    async open (files, name, range) {
      const stream = await files.open(name, range)
      streams.push(stream)
      return stream.on('data', (chunk: Buffer) => { bytesRead += chunk.length }).pause()
    }
  })
  const engine = useEngine(t, place, { storage })
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 1000) FROM generate_series(1, 2000)`
  const { id, filename, sizeBytes } = await engine.create()
  const file: unknown = JSON.parse(await readFile(join(place.directory, filename), 'utf8'))
  const manifest = await engine.manifest(id)
  t.strictSame({ manifest }, { manifest: Object(file).manifest })
  t.ok(bytesRead < 200_000 && Number(sizeBytes) > 2_000_000, `${bytesRead} of ${sizeBytes} bytes`)
  t.strictSame(streams.map(({ destroyed }) => destroyed), [true])
})

t.test('without a completed snapshot and its file there is no manifest', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await t.rejects(engine.manifest('00000000-0000-4000-8000-000000000000'), { code: 'FST_BACKUP_NOT_FOUND' })
  await t.rejects(engine.manifest('x'), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  await t.rejects(engine.create({ schema: 'nowhere' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
  const [failed] = await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    VALUES (gen_random_uuid(), 'public', 'x', 'failed', 'manual', now()) RETURNING id`
  await t.rejects(engine.manifest(String(failed?.id)), { code: 'FST_BACKUP_NOT_COMPLETED' })
  const { id, filename } = await engine.create()
  await rm(join(place.directory, filename))
  await t.rejects(engine.manifest(id), { code: 'FST_BACKUP_FILE_GONE' })
})

t.test('a damaged head, and that of another snapshot, are refused', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const [first, second] = [await engine.create(), await engine.create()]
  const path = join(place.directory, first.filename)
  await writeFile(path, await readFile(join(place.directory, second.filename)))
  await t.rejects(engine.manifest(first.id), {
    code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422, message: new RegExp(`contains the snapshot ${second.id}`)
  })
  await writeFile(path, '{"manifest":{"version":1}}')
  await t.rejects(engine.manifest(first.id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  t.strictSame((await engine.manifest(second.id)).id, second.id)
})

t.test('the manifest of an import is bounded, and has the id of its origin', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const imported = await engine.import(Readable.from([await readFile(join(place.directory, filename))]))
  t.equal((await engine.manifest(imported.id)).id, id)
  const strict = useEngine(t, place, { limits: { manifestBytes: 10 } })
  await t.rejects(strict.manifest(imported.id), { code: 'FST_BACKUP_LIMIT_EXCEEDED', statusCode: 413 })
  t.equal((await strict.manifest(id)).id, id)
})

t.test('stop() ends the reading of a manifest', async (t) => {
  const place = await usePlace(t)
  const opened = createGate()
  const silent = new Readable({ read () {} })
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open () {
        queueMicrotask(() => { opened.open() })
        return silent
      }
    })
  })
  const { id } = await engine.create()
  const manifest = engine.manifest(id)
  manifest.catch(() => {})
  await opened.pass()
  await engine.stop()
  await t.rejects(manifest, { code: 'FST_BACKUP_SHUTTING_DOWN' })
  t.equal(silent.destroyed, true)
})
