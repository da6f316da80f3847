import { execFileSync, spawnSync } from 'node:child_process'
import { copyFile, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { codecOf } from '../../lib/pipeline/codecs.ts'
import type { Backup } from '../../types/index.ts'
import type { TestScope } from '../support/database.ts'
import { type Place, type TestEngine, useEmptyDatabase, useEngine, usePlace } from '../support/engine.ts'
import { storageWith } from '../support/storage-double.ts'
import { until } from '../support/until.ts'

const types = (['gzip', 'zstd'] as const).filter((type) => codecOf(type) !== undefined)
/** Programs that decompress a file to the standard output, and how. */
const programs = { gzip: ['gzip', '-dc'], zstd: ['zstd', '-dc'] } as const

/** A shop with a table whose rows are in several frames, between two small ones. */
async function useLargeShop (t: TestScope): Promise<Place> {
  const place = await usePlace(t)
  await place.sql.unsafe(`CREATE TABLE parts (id int PRIMARY KEY, name text, properties jsonb);
    INSERT INTO parts SELECT n, md5(n::text), jsonb_build_object('weight', n, 'note', repeat(md5(n::text), 3))
      FROM generate_series(1, 60000) n`)
  return place
}

const digestOf = async ({ sql }: Place, table: string): Promise<string> => {
  const [row] = await sql.unsafe<Array<{ digest: string }>>(
    `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(r::text, 0)), 0) AS digest FROM ${table} r`)
  return String(row?.digest)
}

async function bytesOf (engine: TestEngine, ...args: Parameters<TestEngine['download']>): Promise<Buffer> {
  const { stream } = await engine.download(...args)
  return Buffer.concat(await stream.toArray())
}

const pathOf = ({ directory }: Place, { filename }: Backup): string => join(directory, filename)

if (types.length < 2) t.test('zstd', { skip: 'Node.js 22.15 or a newer one is needed' }, async () => {})

for (const type of types) {
  for (const worker of [false, true]) {
    t.test(`${type}, ${worker ? 'in a worker' : 'in the main thread'}: every call reads the snapshot`, async (t) => {
      const place = await useLargeShop(t)
      const engine = useEngine(t, place, { compression: type, worker })
      const before = await digestOf(place, 'parts')
      const backup = await engine.create()
      const suffix = type === 'gzip' ? '.json.gz' : '.json.zst'
      t.match(backup, { compression: type, rowCount: 60_005 })
      t.ok(backup.filename.endsWith(suffix))

      const stored = await readFile(pathOf(place, backup))
      const json = await bytesOf(engine, backup.id, undefined, { as: 'json' })
      t.equal(backup.storedBytes, stored.length)
      t.equal(backup.sizeBytes, json.length)
      t.ok(stored.length < json.length / 2)
      t.ok((await bytesOf(engine, backup.id)).equals(stored))
      t.equal(JSON.parse(json.toString()).manifest.checksum, backup.checksum)
      t.strictSame(await engine.manifest(backup.id), JSON.parse(json.toString()).manifest)
      const range = { start: json.length - 5_000_000, end: json.length - 4_999_000 }
      t.ok((await bytesOf(engine, backup.id, range, { as: 'json' })).equals(json.subarray(range.start, range.end + 1)))
      t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
      t.strictSame((await engine.plan(backup.id)).ok, true)

      await place.sql`UPDATE parts SET name = 'lost' WHERE id % 2 = 0`
      await place.sql`DELETE FROM orders`
      const lost = await digestOf(place, 'orders')
      t.match(await engine.restore(backup.id, { tables: ['parts'] }), { rowCount: 60_000 })
      t.equal(await digestOf(place, 'parts'), before)
      t.equal(await digestOf(place, 'orders'), lost)
      const { preRestoreId } = await engine.restore(backup.id)
      t.equal((await place.sql`SELECT FROM orders`).length, 3)
      t.match(await engine.get(preRestoreId), { compression: type, trigger: 'pre_restore' })
      await engine.restore(preRestoreId)
      t.equal(await digestOf(place, 'orders'), lost)
    })
  }

  t.test(`${type}: the usual program decompresses the file`, { skip: missing(type) }, async (t) => {
    const place = await useLargeShop(t)
    const engine = useEngine(t, place, { compression: { type, level: 1 } })
    const backup = await engine.create()
    const [program, ...args] = programs[type]
    const json = execFileSync(program, [...args, pathOf(place, backup)], { maxBuffer: 2 ** 30 })
    t.ok(json.equals(await bytesOf(engine, backup.id, undefined, { as: 'json' })))
  })

  t.test(`${type}: a damaged file is found, and is not restored`, async (t) => {
    const place = await useLargeShop(t)
    const engine = useEngine(t, place, { compression: type })
    const backup = await engine.create()
    const before = await digestOf(place, 'parts')
    const file = await open(pathOf(place, backup), 'r+')
    await file.write(Buffer.alloc(200, 0x55), 0, 200, Math.floor(backup.storedBytes / 2))
    await file.close()
    const { ok, problems } = await engine.verify(backup.id)
    t.equal(ok, false)
    t.match(problems.join(), /decompressed|do not match|expected|truncated|row/)
    await t.rejects(engine.restore(backup.id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
    await t.rejects(engine.restore(backup.id, { tables: ['parts'] }), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
    t.equal(await digestOf(place, 'parts'), before)
    t.match(await engine.restore(backup.id, { tables: ['users'] }), { rowCount: 2 }, 'from a frame that is intact')
  })

  t.test(`${type}: an import keeps the file as it arrived`, async (t) => {
    const place = await usePlace(t)
    const backup = await useEngine(t, place, { compression: type }).create()
    const engine = useEngine(t, place)
    const file = await readFile(pathOf(place, backup))
    const imported = await engine.import(Readable.from([file.subarray(0, 1), file.subarray(1, 3), file.subarray(3)]))
    t.match(imported, {
      compression: type, storedBytes: file.length, sizeBytes: backup.sizeBytes, checksum: backup.checksum
    })
    t.ok(imported.filename.endsWith(type === 'gzip' ? '.json.gz' : '.json.zst'))
    t.ok((await readFile(pathOf(place, imported))).equals(file))
    t.match(await engine.restore(imported.id), { rowCount: 5 })
    t.match(await engine.get((await engine.restore(imported.id)).preRestoreId), { compression: 'none' })
  })

  t.test(`${type}: after the loss of the database, files are adopted with their pins and notes`, async (t) => {
    const lost = await usePlace(t)
    const before = useEngine(t, lost, { compression: type })
    const backup = await before.create()
    await before.update(backup.id, { pinned: true, note: 'keep' })
    await before.stop()
    await before.close()
    const suffix = type === 'gzip' ? '.json.gz' : '.json.zst'
    await copyFile(pathOf(lost, backup), join(lost.directory, `copy${suffix}`))

    const place = await useEmptyDatabase(t, lost)
    const engine = useEngine(t, place)
    engine.start()
    await until(async () => (await engine.list()).backups.length === 2)
    const { sizeBytes, storedBytes: bytes, checksum } = backup
    const kept = { sizeBytes, storedBytes: bytes, checksum, pinned: true, note: 'keep' }
    t.match(await engine.get(backup.id), { compression: type, trigger: 'manual', ...kept })
    const copy = (await engine.list()).backups.find(({ id }) => id !== backup.id)
    t.match(copy, { filename: `copy${suffix}`, compression: type, trigger: 'import', storedBytes: backup.storedBytes })
    t.match(await engine.restore(backup.id), { rowCount: 5 })
    t.equal((await engine.status()).bytesHeld, await storedBytes(engine))
    await engine.remove(String(copy?.id))
    t.equal((await engine.list()).backups.length, 2, 'with the pre_restore snapshot')
  })

  t.test(`${type}: a storage of the application reads ranges of the file`, async (t) => {
    const place = await useLargeShop(t)
    const ranges: unknown[] = []
    const storage = storageWith(place.directory, {
      async open (original, name, range) {
        if (range !== undefined) ranges.push(range)
        return await original.open(name, range)
      }
    })
    const engine = useEngine(t, place, { compression: type, storage, worker: true })
    const backup = await engine.create()
    const before = await digestOf(place, 'parts')
    await place.sql`DELETE FROM parts`
    await engine.restore(backup.id, { tables: ['parts'] })
    t.equal(await digestOf(place, 'parts'), before)
    t.ok(ranges.length > 0)
  })
}

/** Why the program cannot be run. */
function missing (type: keyof typeof programs): string | false {
  const [program] = programs[type]
  return spawnSync(program, ['--version']).status === 0 ? false : `${program} is not installed`
}

async function storedBytes (engine: TestEngine): Promise<number> {
  const { backups } = await engine.list()
  return backups.reduce((sum, backup) => sum + Number(backup.storedBytes), 0)
}

t.test('a file of another program is imported and restored, whole and in parts', async (t) => {
  const place = await useLargeShop(t)
  const engine = useEngine(t, place)
  const backup = await engine.create()
  const json = await readFile(pathOf(place, backup))
  const before = await digestOf(place, 'parts')
  const members = [json.subarray(0, 3_000_000), json.subarray(3_000_000)].map((part) => gzipSync(part))
  for (const file of [gzipSync(json), Buffer.concat(members)]) {
    const imported = await engine.import(Readable.from([file]))
    t.match(imported, { compression: 'gzip', checksum: backup.checksum, sizeBytes: json.length })
    await place.sql`DELETE FROM parts`
    await engine.restore(imported.id, { tables: ['parts'] })
    t.equal(await digestOf(place, 'parts'), before)
    await engine.restore(imported.id)
    t.ok((await bytesOf(engine, imported.id, { start: 7_000_000, end: 7_000_100 }, { as: 'json' }))
      .equals(json.subarray(7_000_000, 7_000_101)))
  }
})

t.test('the beginning of a file decides how it is read, and not its name', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { compression: 'gzip' })
  const backup = await engine.create()
  const path = pathOf(place, backup)
  await writeFile(path, await bytesOf(engine, backup.id, undefined, { as: 'json' }))
  t.strictSame(await engine.verify(backup.id), { ok: true, problems: [] })
  t.match(await engine.restore(backup.id, { tables: ['users', 'orders'] }), { rowCount: 5 })
})

t.test('a snapshot that is compressed twice is none', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { compression: 'gzip' })
  const backup = await engine.create()
  const twice = gzipSync(await readFile(pathOf(place, backup)))
  await t.rejects(engine.import(Readable.from([twice])), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
})

t.test('a backup that is aborted while it compresses leaves no file', async (t) => {
  const place = await useLargeShop(t)
  const engine = useEngine(t, place, { compression: 'gzip' })
  const controller = new AbortController()
  const creating = engine.create({ signal: controller.signal, onProgress () { controller.abort() } })
  await t.rejects(creating, { code: 'FST_BACKUP_ABORTED' })
  const { backups } = await engine.list()
  t.strictSame(backups.map(({ status, storedBytes: bytes }) => [status, bytes]), [['failed', null]])
  t.strictSame(await readdir(place.directory), [])
})
