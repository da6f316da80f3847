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
import { violations } from './invariants.ts'

const run = promisify(execFile)

/** A directory of 4 MB; undefined where none can be mounted. */
async function useSmallDisk (t: Test): Promise<string | undefined> {
  const directory = await useDirectory(t)
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).then(() => true, () => false)
  if (!mounted) return undefined
  t.after(async () => { await run('umount', ['-l', directory]) })
  return directory
}

/** A snapshot of these rows has 3 MB, whether it is compressed or not. */
const rows = { none: 3000, gzip: 6000 }

/** Digits of random numbers, which gzip compresses to half. */
async function fill ({ sql }: Place, compression: keyof typeof rows): Promise<void> {
  await sql`CREATE TABLE bulk AS SELECT (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 31)
    WHERE n > 0) AS text FROM generate_series(1, ${rows[compression]}::int) n`
}

const runs = [true, false].flatMap((worker) =>
  (['none', 'gzip'] as const).map((compression) => ({ worker, compression })))
for (const { worker, compression } of runs) {
  const where = `${worker ? 'in a worker' : 'on the main thread'}, compression ${compression}`
  t.test(`a run that fills the disk fails and damages nothing, ${where}`, async (t) => {
    const expected = [{ rows: rows[compression] }]
    const directory = await useSmallDisk(t)
    if (directory === undefined) return t.comment('only root can mount a file system, on Linux')
    const place = { ...await usePlace(t), directory }
    await fill(place, compression)
    const engine = useEngine(t, place, { worker, compression })
    const { id } = await engine.create()
    const full = { code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507 }
    await t.rejects(engine.create(), full)
    await t.rejects(engine.restore(id), full, 'there is no room for the pre_restore snapshot')
    t.strictSame(await violations(place), [])
    const { backups: failed } = await engine.list({ status: 'failed' })
    t.equal(failed.length, 2)
    for (const { error } of failed) t.match(error, /full/)
    t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], expected)
    t.strictSame(await engine.verify(id), { ok: true, problems: [] })
    await place.sql`TRUNCATE bulk`
    t.match(await engine.create(), { status: 'completed' }, 'a snapshot that fits is completed')
    await engine.restore(id)
    t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], expected)
    t.strictSame(await violations(place), [])
  })
}

t.test('a directory that was deleted is not created again before the loss is accepted', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const lost = await engine.create()
  await rm(place.directory, { recursive: true })
  t.match(await engine.get(lost.id), { available: false })
  await t.rejects(engine.download(lost.id), { code: 'FST_BACKUP_FILE_GONE' })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_MISSING' })
  t.equal(existsSync(place.directory), false)
  const missingIds = async (): Promise<string[]> => (await engine.rescan()).missing.map(({ id }) => id)
  t.strictSame(await missingIds(), [lost.id])
  t.match(await engine.create(), { available: true })
  t.strictSame(await missingIds(), [lost.id])
})

t.test('the directory is replaced by a file', async (t) => {
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
  t.strictSame(await violations(place), [])
})

t.test('the directory is not writable', async (t) => {
  const isUnsupported = process.getuid?.() === 0 || process.platform === 'win32'
  if (isUnsupported) return t.comment('root may write to every directory, and Windows has no such mode')
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await mkdir(place.directory, { recursive: true })
  await chmod(place.directory, 0o500)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EACCES/ })
  await chmod(place.directory, 0o700)
  t.match(await engine.create(), { available: true })
  t.strictSame(await violations(place), [])
})

for (const step of ['publish', 'remove', 'stat', 'list', 'open'] as const) {
  for (const code of ['EIO', 'EACCES', 'ENOSPC', 'EROFS']) {
    t.test(`${step}() of the storage fails temporarily with ${code}`, async (t) => {
      const place = await usePlace(t)
      let failing = false
      const fail = async (): Promise<never> => { throw Object.assign(new Error('secret'), { code, syscall: 'write' }) }
      const engine = useEngine(t, place, {
        maxBackups: 1,
        storage: storageWith(place.directory, {
          [step]: (storage: object, ...values: []) => failing ? fail() : Reflect.get(storage, step)(...values)
        })
      })
      const { id } = await engine.create()
      failing = true
      const outcomes = await Promise.allSettled([engine.create(), engine.verify(id), engine.rescan(), engine.prune()])
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue
        t.match(outcome.reason, { code: /^FST_BACKUP_(?:STORAGE_FAILED|STORAGE_FULL|BUSY|FILE_GONE)$/ })
      }
      failing = false
      await engine.create()
      await engine.prune()
      t.strictSame(await violations(place), [])
      const [newest] = (await engine.list({ status: 'completed' })).backups
      t.match(newest, { available: true })
    })
  }
}

t.test('a backup fails when the directory cannot be fsynced, and leaves no file', async (t) => {
  const place = await usePlace(t)
  const promises = await import('node:fs/promises')
  const open = promises.open
  let failing = true
  const fs = {
    ...promises,
    async open (...values: Parameters<typeof open>) {
      const handle = await open(...values)
      if (failing) {
        handle.sync = async () => {
          throw Object.assign(new Error('secret'), { code: 'EIO', syscall: 'fsync' })
        }
      }
      return handle
    }
  }
  const engine = useEngine(t, place, { storage: createFileSystemStorage(place.directory, fs) })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EIO/ })
  t.strictSame(await readdir(place.directory), [])
  failing = false
  const { filename } = await engine.create()
  t.strictSame(await readdir(join(place.directory)), [filename])
  t.strictSame(await violations(place), [])
})

/** Makes the next call of a method of any open file fail. Returns a function that returns the number of calls. */
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
  t.test(`a run fails when ${method}() of the file fails with ${code}, and leaves no file`, async (t) => {
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
    t.strictSame(await violations(place), [])
  })
}
