import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import { type Place, useEngine, usePlace } from '../support/engine.ts'
import { storageWith } from '../support/storage-double.ts'
import { useDirectory } from '../support/directory.ts'
import { broken } from './invariants.ts'

const run = promisify(execFile)

/** A directory of 4 MB; undefined where there can be none. */
async function useSmallDisk (t: Test): Promise<string | undefined> {
  const directory = await useDirectory(t)
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).then(() => true, () => false)
  if (!mounted) return undefined
  t.after(async () => { await run('umount', ['-l', directory]) })
  return directory
}

async function fill ({ sql }: Place): Promise<void> {
  await sql`CREATE TABLE bulk AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 3000)`
}

for (const worker of [true, false]) {
  t.test(`a full disk fails the run, and takes nothing along, ${worker ? 'in a worker' : 'on the main thread'}`, async (t) => {
    const directory = await useSmallDisk(t)
    if (directory === undefined) return t.comment('no file system can be mounted here: only root can, on Linux')
    const place = { ...await usePlace(t), directory }
    await fill(place)
    const engine = useEngine(t, place, { worker })
    const { id } = await engine.create()
    const full = { code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507 }
    await t.rejects(engine.create(), full)
    await t.rejects(engine.restore(id), full, 'there is no room for the pre_restore snapshot')
    t.strictSame(await broken(place), [])
    t.match((await engine.list({ status: 'failed' })).backups.map(({ error }) => error), [/full/, /full/])
    t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], [{ rows: 3000 }])
    t.strictSame(await engine.verify(id), { ok: true, problems: [] })
    await place.sql`TRUNCATE bulk`
    t.match(await engine.create(), { status: 'completed' }, 'what fits is taken')
    await engine.restore(id)
    t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], [{ rows: 3000 }])
    t.strictSame(await broken(place), [])
  })
}

t.test('a directory that goes away is not made again before somebody accepts the loss', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const lost = await engine.create()
  await rm(place.directory, { recursive: true })
  t.match(await engine.get(lost.id), { available: false })
  await t.rejects(engine.download(lost.id), { code: 'FST_BACKUP_FILE_GONE' })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_MISSING' })
  t.equal(existsSync(place.directory), false)
  t.match((await engine.rescan()).missing, [{ id: lost.id }])
  t.match(await engine.create(), { available: true })
  t.match((await engine.rescan()).missing, [{ id: lost.id }])
})

t.test('a file in the place of the directory', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  const aside = `${place.directory}.aside`
  await rename(place.directory, aside)
  await writeFile(place.directory, '')
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await rm(place.directory)
  await rename(aside, place.directory)
  t.match(await engine.create(), { available: true })
  t.strictSame(await broken(place), [])
})

t.test('a directory that may not be written to', async (t) => {
  if (process.getuid?.() === 0 || process.platform === 'win32') return t.comment('there is no such thing for root, or on Windows')
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await mkdir(place.directory, { recursive: true })
  await chmod(place.directory, 0o500)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EACCES/ })
  await chmod(place.directory, 0o700)
  t.match(await engine.create(), { available: true })
  t.strictSame(await broken(place), [])
})

for (const step of ['publish', 'remove', 'stat', 'list', 'open'] as const) {
  for (const code of ['EIO', 'EACCES', 'ENOSPC', 'EROFS']) {
    t.test(`a storage whose ${step}() fails with ${code} now and then`, async (t) => {
      const place = await usePlace(t)
      let failing = false
      const fail = async (): Promise<never> => { throw Object.assign(new Error('secret'), { code, syscall: 'write' }) }
      const engine = useEngine(t, place, { maxBackups: 1, storage: storageWith(place.directory, { [step]: (storage: object, ...values: []) => failing ? fail() : Reflect.get(storage, step)(...values) }) })
      const { id } = await engine.create()
      failing = true
      const outcomes = await Promise.allSettled([engine.create(), engine.verify(id), engine.rescan(), engine.prune()])
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') t.match(outcome.reason, { code: /^FST_BACKUP_(?:STORAGE_FAILED|STORAGE_FULL|BUSY|FILE_GONE)$/ })
      }
      failing = false
      await engine.create()
      await engine.prune()
      t.strictSame(await broken(place), [])
      const [newest] = (await engine.list({ status: 'completed' })).backups
      t.match(newest, { available: true })
    })
  }
}

t.test('a file whose name could not be made durable is none', async (t) => {
  const place = await usePlace(t)
  const promises = await import('node:fs/promises')
  const open = promises.open
  let failing = true
  const fs = {
    ...promises,
    async open (...values: Parameters<typeof open>) {
      const handle = await open(...values)
      if (failing) handle.sync = async () => { throw Object.assign(new Error('secret'), { code: 'EIO', syscall: 'fsync' }) }
      return handle
    }
  }
  const engine = useEngine(t, place, { storage: createFileSystemStorage(place.directory, fs) })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EIO/ })
  t.strictSame(await readdir(place.directory), [])
  failing = false
  const { filename } = await engine.create()
  t.strictSame(await readdir(join(place.directory)), [filename])
  t.strictSame(await broken(place), [])
})

/** Lets the next call of a method of an open file fail, whichever file that is. Gives how many calls there were. */
async function failNext (t: Test, method: 'sync' | 'write', code: string): Promise<() => number> {
  const handle = await open(fileURLToPath(import.meta.url))
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  const original = prototype[method]
  let calls = 0
  prototype[method] = async function (...values: unknown[]) {
    if (calls++ === 0) throw Object.assign(new Error('secret'), { code, syscall: method })
    return await original.apply(this, values)
  }
  t.after(() => { prototype[method] = original })
  return () => calls
}

for (const [method, code] of [['sync', 'EIO'], ['write', 'EIO'], ['write', 'EDQUOT']] as const) {
  t.test(`rows that could not be written to the disk, or not for good, are no backup (${method}, ${code})`, async (t) => {
    const place = await usePlace(t)
    const engine = useEngine(t, place, { worker: false })
    const { filename } = await engine.create()
    const file = await readFile(join(place.directory, filename))
    for (const attempt of [async () => await engine.create(), async () => await engine.import(Readable.from([file]))]) {
      const calls = await failNext(t, method, code)
      await t.rejects(attempt(), { code: code === 'EDQUOT' ? 'FST_BACKUP_STORAGE_FULL' : 'FST_BACKUP_STORAGE_FAILED' })
      t.ok(calls() > 0)
      t.strictSame(await readdir(place.directory), [filename])
    }
    await engine.create()
    t.strictSame(await broken(place), [])
  })
}
