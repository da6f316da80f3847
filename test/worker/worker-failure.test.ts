import { subscribe } from 'node:diagnostics_channel'
import { readdir } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { RestoreUncertain, WorkerFailed } from '../../lib/errors.ts'
import { locksLeft, untilUnlocked } from '../support/backends.ts'
import { eventNames, outcomesOf, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageBehind, storageWith } from '../support/storage-double.ts'
import { type Failure, failingWorker } from '../support/worker.ts'

/** All rows of the shop. */
const contentOf = async ({ sql }: Place): Promise<unknown> => [...await sql`
  SELECT
    (SELECT json_agg(u ORDER BY id) FROM users u) AS users,
    (SELECT json_agg(o ORDER BY id) FROM orders o) AS orders`]

/** With a storage whose files the worker cannot open itself. */
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
  t.test(`a worker that dies (${how}) makes only its backup fail`, async (t) => {
    const place = await usePlace(t)
    const engine = useFailing(t, place, { how, at: 'onWritten' })
    if (how === 'allocate') {
      // The flag applies to threads that start later
      setFlagsFromString('--max-old-space-size=48')
      t.after(() => { setFlagsFromString('--max-old-space-size=0') })
    }
    const error = await engine.create().catch((error) => error)
    t.ok(error instanceof WorkerFailed)
    t.match(error, { code: 'FST_BACKUP_WORKER_FAILED', statusCode: 500, message })
    const { backups } = await engine.list()
    t.strictSame(
      backups.map(({ status, error, available }) => [status, error, available]),
      [['failed', error.message, false]]
    )
    t.strictSame(await readdir(place.directory), [])
    t.strictSame(eventNames(engine), ['backup:started', 'backup:failed'])
    t.notMatch(JSON.stringify([error.message, error.stack, engine.lines, engine.events, backups]), /hunter2/)

    await untilUnlocked(place.sql)
    t.match(await useEngine(t, place, { worker: true }).create(), { status: 'completed' })
  })
}

t.test('a worker that dies before its run is in the log leaves a failed row', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'onLocked' })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_WORKER_FAILED' })
  const [[status, error] = [], ...others] = await outcomesOf(engine)
  t.strictSame([status, others], ['failed', []])
  t.match(error, /worker thread/)
})

t.test('a worker that cannot start makes its backup fail', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true }, undefined, new URL('nowhere.js', import.meta.url))
  await t.rejects(engine.create(), { code: 'FST_BACKUP_WORKER_FAILED', message: /MODULE_NOT_FOUND/ })
  const [[status, error] = [], ...others] = await outcomesOf(engine)
  t.strictSame([status, others], ['failed', []])
  t.match(error, /MODULE_NOT_FOUND/)
})

t.test('a backup completes even if its worker dies while the file is being published', async (t) => {
  const place = await usePlace(t)
  const publishing = createGate()
  const storage = storageBehind(place.directory, publishing)
  const engine = useEngine(
    t,
    place,
    { worker: true, storage },
    undefined,
    failingWorker({ how: 'exit', at: 'onWritten', sent: true })
  )
  const creating = engine.create()
  await publishing.reached
  await untilUnlocked(place.sql)
  publishing.open()
  const backup = await creating
  t.match(backup, { status: 'completed', available: true })
  t.strictSame(await readdir(place.directory), [backup.filename])
})

t.test('a restore whose worker dies before the pre_restore snapshot exists changes nothing', async (t) => {
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
    await untilUnlocked(place.sql)
  }
  t.strictSame(await contentOf(place), before)
  t.strictSame(await readdir(place.directory), [filename])
  t.match(await good.restore(id), { rowCount: 5 })
})

t.test('the outcome of a restore whose worker dies after that is uncertain', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'open', time: 2 })
  const good = useEngine(t, place, { worker: true })
  const { id } = await good.create()
  await place.sql`DELETE FROM orders`
  const before = await contentOf(place)
  const error = await engine.restore(id).catch((error) => error)
  t.ok(error instanceof RestoreUncertain)
  t.match(error, {
    code: 'FST_BACKUP_RESTORE_UNCERTAIN',
    statusCode: 500,
    message: /worker thread ended early, exit code 3/
  })
  await untilUnlocked(place.sql)
  t.strictSame(await contentOf(place), before, 'completely rolled back')
  const { restore } = await good.get(id)
  t.match(restore, { status: 'failed', error: error.message })
  t.match(await good.get(restore?.preRestoreId ?? ''), { status: 'completed', available: true })
  t.match(await good.restore(id), { rowCount: 5 })
})

t.test('a restore whose worker dies after the commit is complete', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'exit', at: 'completed' })
  const { id } = await useEngine(t, place).create()
  await place.sql`DELETE FROM orders`
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_UNCERTAIN' })
  t.equal((await place.sql`SELECT FROM orders`).length, 3)
  t.match(await engine.get(id), { status: 'restored', restore: { status: 'completed' } }, 'the log has recorded it')
})

/** A worker that is not terminated makes this hang, and the test time out. */
async function shutDown (engine: TestEngine): Promise<void> {
  await engine.stop()
  await engine.close()
}

const workers: Worker[] = []
subscribe('worker_threads', (message) => { workers.push((message as { worker: Worker }).worker) })

/** The workers that have not exited; the threadId of the others is -1. */
const workersLeft = (): Worker[] => workers.filter(({ threadId }) => threadId !== -1)

t.test('stop() and close() end the worker of a run, which is logged as failed', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 300000)`
  const engine = useEngine(t, place, { worker: true })
  const { finished } = await engine.beginCreate()
  const failed = t.rejects(finished, { code: 'FST_BACKUP_SHUTTING_DOWN' })
  t.equal(workersLeft().length, 1)
  await shutDown(engine)
  await failed
  t.strictSame(workersLeft(), [])
  t.strictSame(await locksLeft(place.sql), [])
  t.strictSame(await outcomesOf(useEngine(t, place)), [['failed', 'The service is shutting down']])
  t.strictSame(await readdir(place.directory), [])
})

t.test('stop() and close() end a worker that no longer handles messages', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'hang', at: 'onLocked', sent: true })
  const { finished } = await engine.beginCreate()
  const failed = t.rejects(finished, { code: 'FST_BACKUP_SHUTTING_DOWN' })
  await shutDown(engine)
  await failed
  t.strictSame(workersLeft(), [])
  t.strictSame(await outcomesOf(useEngine(t, place)), [['failed', 'The service is shutting down']])
  t.strictSame(await readdir(place.directory), [])
  await untilUnlocked(place.sql)
})

t.test('stop() and close() end a worker whose run is over and that does not exit', async (t) => {
  const place = await usePlace(t)
  const engine = useFailing(t, place, { how: 'hang', at: 'completed', sent: true })
  t.match(await engine.create(), { status: 'completed' })
  t.equal(workersLeft().length, 1)
  await shutDown(engine)
  t.strictSame(workersLeft(), [])
})
