import { createReadStream } from 'node:fs'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { markerName, parseMarker } from '../../lib/storage/marker.ts'
import type { Backup, SnapshotStorage } from '../../types/index.ts'
import { until } from '../support/until.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { markersOf, putMarker } from '../support/markers.ts'
import { matchEach } from '../support/match-each.ts'
import { type Place, type TestEngine, useEmptyDatabase, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { editManifest } from '../snapshot/edit-manifest.ts'

const hiddenOf = async ({ directory }: Place): Promise<string[]> =>
  (await readdir(directory).catch(() => [])).filter((name) => name.startsWith('.'))

async function end (engine: TestEngine): Promise<void> {
  await engine.stop()
  await engine.close()
}

/** Whether the service has logged that the storage belongs to another log. */
const isRefused = ({ lines }: TestEngine): boolean =>
  lines.some(({ msg, reason }) => msg.includes('could not claim') && String(reason).includes('belongs to another'))

t.test('after the loss of the database, a new one adopts the snapshots as they were at creation', async (t) => {
  const lost = await usePlace(t)
  const before = useEngine(t, lost)
  before.start()
  await until(async () => (await markersOf(lost)).length === 1)
  const first = await before.create({ note: 'the first' })
  const second = await before.create()
  await before.restore(first.id)
  const backups = (await before.list()).backups
  t.equal(backups.length, 3)
  await end(before)
  t.strictSame(await hiddenOf(lost), [], 'it has released the storage')

  const place = await useEmptyDatabase(t, lost)
  const engine = useEngine(t, place)
  engine.start()
  await until(async () => (await engine.list()).backups.length === 3)
  const adopted = (await engine.list()).backups
  /** The fields that adoption keeps; a restored backup becomes completed. */
  const kept = (backup: Backup): object => {
    const { id, schema, filename, trigger, note, startedAt, sizeBytes, rowCount, tableCount, checksum } = backup
    const status = backup.status === 'restored' ? 'completed' : backup.status
    const row = { id, schema, filename, status, trigger, note, startedAt }
    return { ...row, sizeBytes, rowCount, tableCount, checksum, available: backup.available }
  }
  t.strictSame(adopted.map(kept), backups.map(kept))
  t.strictSame(new Set(adopted.map(({ trigger }) => trigger)), new Set(['manual', 'pre_restore']))
  t.match(await engine.restore(first.id), { rowCount: 5 })
  t.equal((await place.sql`SELECT FROM orders`).length, 3)
  t.strictSame(await engine.verify(second.id), { ok: true, problems: [] })
  t.match(engine.lines.find(({ msg }) => msg === 'adoption of files completed'), { adopted: 3 })
  t.strictSame((await engine.status()).problems, [])
})

t.test('a copy of a snapshot gets neither its id nor its pin, whatever the order of the names', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const original = await before.create()
  await before.update(original.id, { pinned: true })
  for (const name of ['a-copy.json', 'zcopy.json']) {
    await copyFile(join(place.directory, original.filename), join(place.directory, name))
  }
  await place.sql`DROP TABLE backup_logs`
  const engine = useEngine(t, place)
  const { adopted } = await engine.rescan()
  const found = adopted.map(({ id, filename, trigger, pinned }) => {
    return { isOriginal: id === original.id, filename, trigger, pinned }
  })
  t.strictSame(found.toSorted((a, b) => a.filename < b.filename ? -1 : 1), [
    { isOriginal: false, filename: 'a-copy.json', trigger: 'import', pinned: false },
    { isOriginal: true, filename: original.filename, trigger: 'manual', pinned: true },
    { isOriginal: false, filename: 'zcopy.json', trigger: 'import', pinned: false }
  ])
  t.strictSame(await engine.rescan(), { adopted: [], missing: [] })
})

t.test('the log of a killed service is lost, without its database', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  before.start()
  await until(async () => (await markersOf(place)).length === 1)
  const { id } = await before.create()
  const [marker = ''] = await markersOf(place)
  await end(before)
  await writeFile(join(place.directory, marker), '')
  await place.sql`DROP TABLE backup_logs`
  const engine = useEngine(t, place)
  engine.start()
  await until(async () => (await engine.list()).backups.length === 1)
  t.match(await engine.get(id), { status: 'completed', available: true })
})

t.test('rescan() returns adopted and missing backups, and changes nothing the second time', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const [gone, unknown, kept] = [await engine.create(), await engine.create({ note: 'x' }), await engine.create()]
  await rm(join(place.directory, gone.filename))
  await place.sql`DELETE FROM backup_logs WHERE id = ${unknown.id}`
  await writeFile(join(place.directory, 'notes.txt'), 'x')
  const { adopted, missing } = await engine.rescan()
  matchEach(t, adopted, [{ id: unknown.id, note: 'x', available: true, status: 'completed' }])
  matchEach(t, missing, [{ id: gone.id, available: false }])
  t.match(await engine.get(unknown.id), adopted[0])
  const again = await engine.rescan()
  t.strictSame(again.adopted, [])
  t.strictSame(again.missing.map(({ id }) => id), [gone.id])
  t.match(await engine.get(kept.id), kept)
  await t.rejects(engine.rescan({ deep: true } as object), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
})

t.test('a copy of a snapshot that has a row is adopted as an import', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await copyFile(join(place.directory, filename), join(place.directory, 'copy.json'))
  const { adopted: [copy] } = await engine.rescan()
  t.match(copy, { trigger: 'import', filename: 'copy.json' })
  t.not(copy?.id, id)
  t.strictSame(await engine.verify(String(copy?.id)), { ok: true, problems: [] })
})

t.test('invalid and unreadable files get no row and are kept; valid snapshots are adopted', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create({ note: 'n' })
  const text = await readFile(join(place.directory, filename), 'utf8')
  await place.sql`DELETE FROM backup_logs`
  const withTime = (time: string): Buffer =>
    editManifest(text, (json) => json.replace(/"createdAt":"[^"]+"/, `"createdAt":"${time}"`))
  const invalid = {
    'a.json': 'x',
    'b.json': text.replace('Ada', 'Eve'),
    'c.json': withTime('yesterday'),
    'c2.json': withTime('+020000-01-01T00:00:00Z'),
    'd.json': editManifest(text, (json) => json.replaceAll(`"schema":"${testSchema}"`, `"schema":"${'x'.repeat(64)}"`))
  }
  for (const [name, content] of Object.entries(invalid)) await writeFile(join(place.directory, name), content)
  const storage = storageWith(place.directory, {
    async open (storage, name, range) {
      if (name === 'a.json') throw Object.assign(new Error('secret'), { code: 'EIO' })
      return await storage.open(name, range)
    }
  })
  for (const service of [engine, useEngine(t, place, { storage })]) {
    t.strictSame((await service.rescan()).adopted.map((backup) => backup.id), service === engine ? [id] : [])
    const skipped = service.lines.filter(({ msg }) => msg.includes('is not adopted'))
    t.strictSame(skipped.map(({ filename }) => filename), Object.keys(invalid))
    t.notMatch(JSON.stringify(service.lines), /secret/)
  }
  t.equal((await readdir(place.directory)).length, 6)
})

t.test('a file that is removed while it is read is not adopted', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const [removed, kept] = [await before.create(), await before.create()]
  await place.sql`DELETE FROM backup_logs`
  const storage = storageWith(place.directory, {
    stat: async (storage, name) => name === removed.filename ? null : await storage.stat(name)
  })
  t.strictSame((await useEngine(t, place, { storage }).rescan()).adopted.map(({ id }) => id), [kept.id])
})

t.test('an aborted rescan adopts nothing; errors of onProgress are only logged', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  await place.sql`DELETE FROM backup_logs`
  await t.rejects(engine.rescan({ signal: AbortSignal.abort(new Error('enough')) }), { code: 'FST_BACKUP_ABORTED' })
  t.strictSame((await engine.list()).backups, [])
  let rows = 0
  await engine.rescan({
    onProgress (progress) {
      rows = progress.rows
      throw new Error('mine')
    }
  })
  t.equal(rows, 5)
  t.match(engine.lines.find(({ msg }) => msg.includes('onProgress')), { level: 50, filename: /\.json$/ })
})

t.test('a second service in the same directory is refused', async (t) => {
  const place = await usePlace(t)
  const first = useEngine(t, place)
  first.start()
  await until(async () => (await markersOf(place)).length === 1)
  const { id } = await first.create()
  const other = await useEmptyDatabase(t, place)
  const second = useEngine(t, other, { maxBackups: 1 })
  second.start()
  await until(async () => isRefused(second))
  const taken = { code: 'FST_BACKUP_STORAGE_TAKEN', statusCode: 409 }
  await t.rejects(second.rescan(), taken)
  await t.rejects(second.create(), taken)
  await t.rejects(second.prune(), taken)
  const { healthy, problems: [problem] } = await second.status()
  t.equal(healthy, false)
  t.match(problem, { code: 'storage_taken', message: /belongs to another/, since: null })
  t.match(await first.get(id), { available: true })
  t.strictSame((await first.status()).problems, [])
  t.equal((await markersOf(place)).length, 1)

  await end(first)
  const again = useEngine(t, place)
  await until(async () => (await markersOf(place)).length === 0)
  again.start()
  await until(async () => (await markersOf(place)).length === 1)
  t.strictSame((await again.status()).problems, [], 'the second service does not get the storage meanwhile')
  await t.rejects(second.rescan(), taken)
})

t.test('a service with another log in the same database is refused, even long after a kill', async (t) => {
  const place = await usePlace(t)
  const first = useEngine(t, place)
  first.start()
  await until(async () => (await markersOf(place)).length === 1)
  const [name = ''] = await markersOf(place)
  await end(first)
  const marker = parseMarker(name)
  if (marker === undefined) return t.fail('there is no marker')
  await writeFile(join(place.directory, markerName({ ...marker, renewedAt: 1_000_000_000_000 })), '')
  await place.sql`CREATE SCHEMA elsewhere`
  const second = useEngine(t, place, { logSchema: 'elsewhere' })
  await t.rejects(second.rescan(), { code: 'FST_BACKUP_STORAGE_TAKEN' })
  t.strictSame((await useEngine(t, place).rescan()).adopted, [], 'the first service itself is not refused')
})

t.test('a marker that is not renewed expires and is removed', async (t) => {
  const place = await usePlace(t)
  const former = useEngine(t, place)
  const { id } = await former.create()
  await place.sql`DROP TABLE backup_logs`
  await end(former)
  await putMarker(place, Date.now() - 3 * 60_000 + 2000)
  const engine = useEngine(t, place)
  engine.start()
  await until(async () => isRefused(engine))
  await until(async () => (await engine.list()).backups.length === 1)
  t.match(await engine.get(id), { status: 'completed' })
  await until(async () => (await markersOf(place)).every((name) => !name.includes('cafe0123')))
})

t.test('two services that claim the storage at the same time both release it and retry', async (t) => {
  const place = await usePlace(t)
  const sound = storageWith(place.directory, {})
  let otherMarker = ''
  const storage: SnapshotStorage = {
    ...sound,
    async publish (spoolPath, name) {
      await sound.publish(spoolPath, name)
      if (otherMarker === '') otherMarker = await putMarker(place, Date.now())
    }
  }
  const engine = useEngine(t, place, { storage })
  engine.start()
  await until(async () => isRefused(engine))
  t.strictSame(await markersOf(place), [otherMarker])
  await rm(join(place.directory, otherMarker))
  await until(async () => (await markersOf(place)).some((name) => name !== otherMarker))
  t.strictSame((await engine.status()).problems, [])
})

t.test('of two new services, one claims the storage', async (t) => {
  const place = await usePlace(t)
  const services = [useEngine(t, place), useEngine(t, await useEmptyDatabase(t, place))]
  for (const service of services) service.start()
  await until(async () => (await markersOf(place)).length === 1 && services.some(isRefused))
  const statuses = await Promise.all(services.map(async (service) => await service.status()))
  t.strictSame(statuses.map(({ healthy }) => healthy).sort(), [false, true])
})

t.test('replicas share the storage', async (t) => {
  const place = await usePlace(t)
  const replicas = [useEngine(t, place), useEngine(t, place), useEngine(t, place)]
  for (const replica of replicas) replica.start()
  await until(async () => (await markersOf(place)).length === 3)
  for (const replica of replicas) t.strictSame((await replica.status()).problems, [])
  await Promise.all(replicas.map(end))
  t.strictSame(await hiddenOf(place), [])
})

t.test('claiming a storage that fails is retried and logged once', async (t) => {
  const place = await usePlace(t)
  let failing = true
  const sound = storageWith(place.directory, {})
  const storage: SnapshotStorage = {
    ...sound,
    async publish (spoolPath, name) {
      if (failing) throw Object.assign(new Error('secret'), { code: 'EIO' })
      await sound.publish(spoolPath, name)
    }
  }
  const engine = useEngine(t, place, { storage })
  engine.start()
  await until(async () => engine.lines.some(({ reason }) => /EIO/.test(String(reason))))
  failing = false
  await until(async () => (await markersOf(place)).length === 1)
  t.equal(engine.lines.filter(({ msg }) => msg.includes('could not claim')).length, 1)
  await until(async () => (await hiddenOf(place)).length === 1)
})

t.test('the role may not read the identity of the cluster', async (t) => {
  const { ownerUrl, sql } = await useDatabase(t, { owner: 'plain' })
  await sql`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`
  const place = { url: ownerUrl, sql, directory: await useDirectory(t) }
  const engine = useEngine(t, place)
  await engine.create()
  await putMarker(place, 1_000_000_000_000)
  t.strictSame(await engine.rescan(), { adopted: [], missing: [] })
  engine.start()
  await until(async () => {
    const markers = await markersOf(place)
    return markers.length === 1 && !markers[0]?.includes('cafe0123')
  })
  t.strictSame((await engine.status()).problems, [])
})

t.test('stop() ends a rescan, even with a storage that does not answer', async (t) => {
  const place = await usePlace(t)
  const opened = createGate()
  const storage = storageWith(place.directory, {
    async open () {
      opened.pass().catch(() => {})
      return new Readable({ read () {} })
    }
  })
  const engine = useEngine(t, place, { storage })
  await engine.create()
  await place.sql`DELETE FROM backup_logs`
  const ended = t.rejects(engine.rescan(), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  await opened.reached
  await engine.stop()
  await ended
})

t.test('a failed adoption at the start is logged, and the service continues', async (t) => {
  const place = await usePlace(t)
  const former = useEngine(t, place)
  const { id } = await former.create()
  await place.sql`DELETE FROM backup_logs`
  await place.sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$`
  await place.sql`CREATE TRIGGER refuse BEFORE INSERT ON backup_logs FOR EACH ROW EXECUTE FUNCTION refuse()`
  const engine = useEngine(t, place)
  engine.start()
  await until(async () => engine.lines.some(({ msg }) => msg.includes('could not be adopted yet')))
  t.strictSame((await engine.list()).backups, [])
  await place.sql`DROP TRIGGER refuse ON backup_logs`
  t.strictSame((await engine.rescan()).adopted.map((backup) => backup.id), [id])
})

t.test('a storage that does not answer does not count as taken', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, {
    list: async () => { throw Object.assign(new Error('secret'), { code: 'EIO' }) }
  })
  const engine = useEngine(t, place, { storage })
  t.strictSame((await engine.status()).problems.map(({ code }) => code), ['storage_unavailable'])
  await t.rejects(engine.rescan(), { code: 'FST_BACKUP_STORAGE_FAILED' })
})

t.test('healing deletes nothing in a storage that belongs to another log', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  await place.sql`UPDATE backup_logs SET status = 'failed'`
  await putMarker(place, Date.now())
  engine.start()
  await until(() => engine.lines.some(({ msg, reason }) => {
    return msg.includes('could not be cleaned up') && String(reason).includes('belongs to another')
  }))
  t.ok((await readdir(place.directory)).includes(filename))
})

t.test('at the start, files without a row are logged if the log is not empty', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  await copyFile(join(place.directory, filename), join(place.directory, 'copy.json'))
  engine.start()
  await until(async () => engine.lines.some(({ msg, files }) => msg.includes('rescan() adopts') && files === 1))
})

t.test('an import is adopted as an import, with the time of the import', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const imported = await engine.import(createReadStream(join(place.directory, filename)))
  await engine.remove(id)
  await place.sql`DELETE FROM backup_logs`
  const { filename: name, startedAt } = imported
  matchEach(t, (await engine.rescan()).adopted, [{ id, filename: name, trigger: 'import', startedAt }])
})

t.test('a service that knows its identity claims the storage while the database is down', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const sound = storageWith(place.directory, {})
  let failing = true
  const storage: SnapshotStorage = {
    ...sound,
    async publish (spoolPath, name) {
      if (failing) throw Object.assign(new Error('secret'), { code: 'EIO' })
      await sound.publish(spoolPath, name)
    }
  }
  const engine = useEngine(t, { ...place, url: proxy.url }, { storage })
  engine.start()
  await until(async () => engine.lines.some(({ reason }) => /EIO/.test(String(reason))))
  await proxy.refuse()
  failing = false
  await until(async () => (await markersOf(place)).length === 1)
  await proxy.accept()
})
