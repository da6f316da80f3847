import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import type { SnapshotStorage } from '../../types/index.ts'
import { useDirectory } from '../support/directory.ts'
import { type Place, problemCodes, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { markersOf } from '../support/markers.ts'
import { until } from '../support/until.ts'

const missing = {
  code: 'FST_BACKUP_STORAGE_MISSING',
  statusCode: 503,
  message: /mount it again, or call fastify\.backup\.rescan\(\)/
}

async function startKeeping (engine: TestEngine, place: Place): Promise<void> {
  engine.start()
  await until(async () => existsSync(place.directory) && (await markersOf(place)).length === 1)
}

async function end (engine: TestEngine): Promise<void> {
  await engine.stop()
  await engine.close()
}

t.test('while the storage is unmounted, a running service writes nothing to its mount point', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await startKeeping(engine, place)
  const { id, filename } = await engine.create()
  const file = await readFile(join(place.directory, filename))
  await rename(place.directory, `${place.directory}.aside`)
  await t.rejects(engine.create(), missing)
  t.equal(existsSync(place.directory), false, 'the directory is not created again')
  await mkdir(place.directory)
  await t.rejects(engine.create(), missing)
  await t.rejects(engine.import(Readable.from([file])), missing)
  await t.rejects(engine.prune(), missing)
  t.strictSame(await readdir(place.directory), [])
  const { healthy, problems: [problem] } = await engine.status()
  t.equal(healthy, false)
  t.match(problem, { code: 'storage_missing', message: /accept it as it is by a rescan/, since: /^\d{4}-/ })
  await rm(place.directory, { recursive: true })
  await rename(`${place.directory}.aside`, place.directory)
  t.match(await engine.create(), { available: true })
  t.match(await engine.get(id), { available: true })
  t.strictSame(await problemCodes(engine), [])
})

t.test('while the storage is unmounted, no removal is completed', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const { id } = await before.create()
  await before.create()
  await place.sql`UPDATE backup_logs SET removed_at = now() WHERE id = ${id}`
  const isLogged = async (): Promise<boolean> =>
    (await place.sql`SELECT FROM backup_logs WHERE id = ${id}`).length === 1
  await rename(place.directory, `${place.directory}.aside`)
  await mkdir(place.directory)
  const engine = useEngine(t, place)
  engine.start()
  const hasFailed = (): boolean => engine.lines.some(({ msg }) => msg.includes('could not be cleaned up'))
  await until(async () => hasFailed() || !await isLogged())
  t.equal(await isLogged(), true)
  await rm(`${place.directory}.aside`, { recursive: true })
})

t.test('a storage that is unmounted during a run gets no file; a single file does not prove it', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await startKeeping(engine, place)
  const { filename } = await engine.create()
  const { filename: newer } = await engine.create()
  engine.once('backup:started', () => {
    renameSync(place.directory, `${place.directory}.aside`)
    mkdirSync(place.directory)
  })
  await t.rejects(engine.create(), missing)
  t.strictSame(await readdir(place.directory), [])
  await copyFile(join(`${place.directory}.aside`, newer), join(place.directory, newer))
  await t.rejects(engine.create(), missing)
  await copyFile(join(`${place.directory}.aside`, filename), join(place.directory, filename))
  t.match(await engine.create(), { available: true })
  await rm(`${place.directory}.aside`, { recursive: true })
})

t.test('a storage without snapshots that is unmounted is missing, too', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await startKeeping(engine, place)
  await rm(place.directory, { recursive: true })
  await mkdir(place.directory)
  await t.rejects(engine.create(), missing)
  await engine.rescan()
  t.match(await engine.create(), { available: true })
})

for (const isThere of [true, false]) {
  const what = isThere ? 'an empty directory' : 'no directory'
  t.test(`after a reboot that left ${what}, calls are refused until rescan()`, async (t) => {
    const place = await usePlace(t)
    const former = useEngine(t, place)
    const lost = await former.create()
    await end(former)
    await rm(place.directory, { recursive: true })
    if (isThere) await mkdir(place.directory)
    const engine = useEngine(t, place)
    engine.start()
    await until(() => engine.lines.some(({ msg, reason }) => {
      return msg.includes('could not claim the storage') && String(reason).includes('rescan()')
    }))
    await t.rejects(engine.create(), missing)
    t.equal(existsSync(place.directory), isThere)
    t.strictSame(await problemCodes(engine), ['storage_missing'])
    const found = await engine.rescan()
    t.strictSame(found.missing.map(({ id }) => id), [lost.id])
    t.match(await engine.create(), { available: true })
    if (!isThere && process.platform !== 'win32') t.equal((await stat(place.directory)).mode & 0o777, 0o700)
    t.strictSame(await problemCodes(engine), [], 'the loss is accepted')
    t.match(await engine.get(lost.id), { available: false })
  })
}

t.test('files that rescan() finds again are expected again', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  await engine.create()
  const path = join(place.directory, filename)
  const file = await readFile(path)
  await rm(path)
  t.strictSame(await problemCodes(engine), ['files_missing'])
  await engine.rescan()
  t.strictSame(await problemCodes(engine), [])
  await writeFile(path, file)
  await engine.rescan()
  await rm(path)
  t.strictSame(await problemCodes(engine), ['files_missing'])
})

t.test('a marker of the log proves the storage, even that of a killed service; so does an old snapshot', async (t) => {
  const place = await usePlace(t)
  const former = useEngine(t, place)
  await startKeeping(former, place)
  const [marker = ''] = await markersOf(place)
  const names: string[] = []
  for (let count = 0; count < 6; count++) names.push((await former.create()).filename)
  await end(former)
  for (const name of names.slice(1)) await rm(join(place.directory, name))
  const engine = useEngine(t, place)
  t.match(await engine.create(), { available: true })
  for (const name of await readdir(place.directory)) await rm(join(place.directory, name))
  await t.rejects(engine.create(), missing)
  await writeFile(join(place.directory, marker), '')
  t.match(await engine.create(), { available: true })
})

t.test('a custom storage is checked in the same way', async (t) => {
  const place = await usePlace(t)
  const disks = [createFileSystemStorage(place.directory), createFileSystemStorage(await useDirectory(t))]
  let mounted = 0
  const disk = (): SnapshotStorage => {
    const found = disks[mounted]
    if (found === undefined) throw new Error('there are two')
    return found
  }
  const storage: SnapshotStorage = {
    publish: async (spoolPath, name) => { await disk().publish(spoolPath, name) },
    open: async (name, range) => await disk().open(name, range),
    stat: async (name) => await disk().stat(name),
    remove: async (name) => { await disk().remove(name) },
    // Ignores the prefix
    list: async () => await disk().list()
  }
  const engine = useEngine(t, { ...place, directory: await useDirectory(t) }, { storage })
  await startKeeping(engine, place)
  await engine.create()
  mounted = 1
  await t.rejects(engine.create(), missing)
  t.strictSame(await disk().list(), [])
  mounted = 0
  t.match(await engine.create(), { available: true })
})
