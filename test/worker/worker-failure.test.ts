import { subscribe } from 'node:diagnostics_channel'
import { readdir } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { RestoreUncertain, WorkerFailed } from '../../lib/errors.ts'
import { locksLeft, until } from '../postgres/backends.ts'
import { eventNames, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { type Failure, failingWorker } from '../support/worker.ts'

/** All rows of the shop, to compare. */
const contentOf = async ({ sql }: Place): Promise<unknown> =>
  [...await sql`SELECT (SELECT json_agg(u ORDER BY id) FROM users u) AS users, (SELECT json_agg(o ORDER BY id) FROM orders o) AS orders`]

const untilUnlocked = async ({ sql }: Place): Promise<void> => { await until(async () => (await locksLeft(sql)).length === 0) }

/** On a storage that the worker can't open files of by itself. */
const useFailing = (t: Test, place: Place, failure: Failure): TestEngine =>
  useEngine(t, place, { worker: true, storage: storageWith(place.directory, {}) }, undefined, failingWorker(failure))

const deaths: Array<[how: Failure['how'], message: RegExp]> = [
  ['exit', /\(exit code 3\)/],
  ['throw', /\(RangeError\)/],
  ['throwCoded', /\(ERR_OF_OURS\)/],
  ['throwOther', /\(string\)/],
  ['allocate', /\(ERR_WORKER_OUT_OF_MEMORY\)/]
]

for (const [how, message] of deaths) {
  t.test(`a worker that dies (${how}) fails its backup, and nothing else`, async (t) => {
    const place = await usePlace(t)
    const engine = useFailing(t, place, { how, at: 'onWritten' })
    if (how === 'allocate') {
      // Of what starts from now on: this thread has its memory already
      setFlagsFromString('--max-old-space-size=48')
      t.after(() => { setFlagsFromString('--max-old-space-size=0') })
    }
    const error = await engine.create().catch((error) => error)
    t.ok(error instanceof WorkerFailed)
    t.match(error, { code: 'FST_BACKUP_WORKER_FAILED', statusCode: 500, message })
    const { backups } = await engine.list()
    t.match(backups, [{ status: 'failed', error: error.message, available: false }])
    t.strictSame(await readdir(place.directory), [])
    t.strictSame(eventNames(engine), ['backup:started', 'backup:failed'])
    t.notMatch(JSON.stringify([error.message, error.stack, engine.lines, engine.events, backups]), /hunter2/)

    await untilUnlocked(place)
    t.match(await useEngine(t, place, { worker: true }).create(), { status: 'completed' })
  })
}

t.test('a worker that dies before its run is in the log leaves a failed row as well', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'onLocked' })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_WORKER_FAILED' })
  t.match((await engine.list()).backups, [{ status: 'failed', error: /worker thread/ }])
})

t.test('a worker that can not even start', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true }, undefined, new URL('nowhere.js', import.meta.url))
  await t.rejects(engine.create(), { code: 'FST_BACKUP_WORKER_FAILED', message: /MODULE_NOT_FOUND/ })
  t.match((await engine.list()).backups, [{ status: 'failed' }])
})

t.test('a backup is completed though its worker dies, once the file is being published', async (t) => {
  const place = await usePlace(t)
  const publishing = createGate()
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      await publishing.pass()
      await storage.publish(spoolPath, name)
    }
  })
  const engine = useEngine(t, place, { worker: true, storage }, undefined, failingWorker({ how: 'exit', at: 'onWritten', sent: true }))
  const creating = engine.create()
  await publishing.reached
  await untilUnlocked(place)
  publishing.open()
  const backup = await creating
  t.match(backup, { status: 'completed', available: true })
  t.strictSame(await readdir(place.directory), [backup.filename])
})

t.test('a restore whose worker dies before the pre_restore snapshot is there: nothing was touched', async (t) => {
  const place = await usePlace(t)
  const good = useEngine(t, place, { worker: true })
  const { id, filename } = await good.create()
  await place.sql`DELETE FROM orders`
  const before = await contentOf(place)
  for (const at of ['onLocked', 'open', 'read', 'onPreRestoreStarted', 'onPreRestoreWritten'] as const) {
    const engine = useFailing(t, place, { how: 'exit', at })
    const error = await engine.restore(id).catch((error) => error)
    t.ok(error instanceof WorkerFailed, at)
    if (at !== 'onLocked') t.match((await engine.get(id)).restore, { status: 'failed', error: error.message })
    await untilUnlocked(place)
  }
  t.strictSame(await contentOf(place), before)
  t.strictSame(await readdir(place.directory), [filename])
  t.match(await good.restore(id), { rowCount: 5 })
})

t.test('one whose worker dies after it: nobody on this side can tell what the database made of it', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'open', time: 2 })
  const good = useEngine(t, place, { worker: true })
  const { id } = await good.create()
  await place.sql`DELETE FROM orders`
  const before = await contentOf(place)
  const error = await engine.restore(id).catch((error) => error)
  t.ok(error instanceof RestoreUncertain)
  t.match(error, { code: 'FST_BACKUP_RESTORE_UNCERTAIN', statusCode: 500, message: /worker thread ended early, exit code 3/ })
  await untilUnlocked(place)
  t.strictSame(await contentOf(place), before, 'undone as a whole')
  const { restore } = await good.get(id)
  t.match(restore, { status: 'failed', error: error.message })
  t.match(await good.get(restore?.preRestoreId ?? ''), { status: 'completed', available: true })
  t.match(await good.restore(id), { rowCount: 5 })
})

t.test('one whose worker dies when all is committed stands', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'completed' })
  const { id } = await useEngine(t, place).create()
  await place.sql`DELETE FROM orders`
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_UNCERTAIN' })
  t.equal((await place.sql`SELECT FROM orders`).length, 3)
  t.match(await engine.get(id), { status: 'restored', restore: { status: 'completed' } }, 'as the log says')
})

/** Milliseconds that stop() and close() take together. */
async function timedClose (engine: TestEngine): Promise<number> {
  const before = performance.now()
  await engine.stop()
  await engine.close()
  return performance.now() - before
}

const workers: Worker[] = []
subscribe('worker_threads', (message) => { workers.push((message as { worker: Worker }).worker) })

/** Those that have not exited, as Node.js says by their number. */
const workersLeft = (): Worker[] => workers.filter(({ threadId }) => threadId !== -1)

t.test('stop() and close() end the worker of a run, which is noted as failed', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 300000)`
  const engine = useEngine(t, place, { worker: true })
  const { finished } = await engine.beginCreate()
  const failed = t.rejects(finished, { code: 'FST_BACKUP_SHUTTING_DOWN' })
  t.equal(workersLeft().length, 1)
  t.ok(await timedClose(engine) < 5000)
  await failed
  t.strictSame(workersLeft(), [])
  t.strictSame(await locksLeft(place.sql), [])
  t.match((await useEngine(t, place).list()).backups, [{ status: 'failed', error: /shutting down/ }])
  t.strictSame(await readdir(place.directory), [])
})

t.test('also one that hears nothing any more', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'hang', at: 'onLocked', sent: true })
  const { finished } = await engine.beginCreate()
  const failed = t.rejects(finished, { code: 'FST_BACKUP_SHUTTING_DOWN' })
  t.ok(await timedClose(engine) < 5000)
  await failed
  t.strictSame(workersLeft(), [])
  t.match((await useEngine(t, place).list()).backups, [{ status: 'failed', error: /shutting down/ }])
  t.strictSame(await readdir(place.directory), [])
  await untilUnlocked(place)
})

t.test('and one whose run is over, and that does not end by itself', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'hang', at: 'completed', sent: true })
  t.match(await engine.create(), { status: 'completed' })
  t.equal(workersLeft().length, 1)
  t.ok(await timedClose(engine) < 5000)
  t.strictSame(workersLeft(), [])
})
