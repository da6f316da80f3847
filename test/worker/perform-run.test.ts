import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { Aborted, SchemaNotFound } from '../../lib/errors.ts'
import { createPool, poolSettings, type PoolSettings } from '../../lib/postgres/driver/connection.ts'
import type { RestoreJob } from '../../lib/restore/restore-job.ts'
import type { RestoredSnapshot } from '../../lib/restore/restore-snapshot.ts'
import { encodeHead } from '../../lib/snapshot/file-format.ts'
import { parseManifest } from '../../lib/snapshot/parse-manifest.ts'
import type { ReadSnapshot } from '../../lib/snapshot/snapshot-reader.ts'
import type { FromWorker, Question, RunRequest, ToWorker } from '../../lib/worker/messages.ts'
import { performRun } from '../../lib/worker/perform-run.ts'
import { fromPortable, toPortable } from '../../lib/worker/portable-error.ts'
import { createSharedStreams } from '../../lib/worker/shared-streams.ts'
import type { PhaseProgress } from '../../lib/snapshot/phase-progress.ts'
import type { ByteRange } from '../../types/index.ts'
import { locksLeft, untilBlocked } from '../support/backends.ts'
import { connectionOf, type Place, usePlace } from '../support/engine.ts'
import { testSchema } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { manifestOf } from '../snapshot/manifest.ts'
import { snapshotJob } from './snapshot-job.ts'

type Answers = Partial<Record<Question, (value: unknown, port: MessagePort) => unknown>>

/** The last message of a run, and those before it. */
interface Played { ended: FromWorker | undefined, asked: Question[], progress: PhaseProgress[] }

async function settingsOf (connection: Parameters<typeof createPool>[0]): Promise<PoolSettings> {
  const pool = createPool(connection)
  const settings = poolSettings(pool) as PoolSettings
  await pool.end()
  return structuredClone(settings)
}

/** Does a run as in a worker, with this test as the main thread. Resolves when the run has closed its port. */
async function play (request: RunRequest, given: Answers = {}): Promise<Played> {
  const answers: Answers = { parseManifest: async (json) => parseManifest(json as string), ...given }
  const { port1, port2 } = new MessageChannel()
  const played: Played = { ended: undefined, asked: [], progress: [] }
  const send = (message: ToWorker): void => { port1.postMessage(message) }
  port1.on('message', (message: FromWorker) => {
    if (message.type === 'progress') played.progress.push(message.progress)
    else if (message.type !== 'question') played.ended = message
    else {
      played.asked.push(message.question)
      const { id, question, value } = message
      Promise.resolve().then(() => answers[question]?.(value, port1)).then(
        (value) => { send({ type: 'answer', id, value }) },
        (error) => { send({ type: 'rejection', id, error: toPortable(error) }) })
    }
  })
  const closed = once(port1, 'close')
  await performRun(port2, request)
  await closed
  return played
}

/** The result of a run that has completed. */
function resultOf<Result> ({ ended }: Played): Result {
  if (ended?.type !== 'completed') throw new Error('the run did not complete', { cause: ended })
  return ended.result as Result
}

/** Names and row counts of the restored tables. */
const tablesOf = (played: Played): Array<[name: string, rows: number]> =>
  resultOf<RestoredSnapshot>(played).tables.map(({ name, rows }) => [name, rows])

function abort (port: MessagePort): void {
  const message: ToWorker = { type: 'abort', reason: toPortable(new Aborted('by the test')) }
  port.postMessage(message)
}

function restoreJob (place: Place, id: string): RestoreJob {
  const { excludeTables, logTable } = snapshotJob(place)
  return {
    id,
    schema: testSchema,
    tables: undefined,
    excludeTables,
    logTable,
    allowedSchemas: null,
    file: null,
    storedBytes: 0,
    expected: { id: null, checksum: null },
    allowSchemaDrift: false,
    allowModified: false,
    preRestore: { ...snapshotJob(place), trigger: 'pre_restore' },
    completion: { text: 'SELECT $1::text AS rows', parameters: [] }
  }
}

type Open = (range?: ByteRange) => Promise<Readable>

/** A snapshot to restore from. */
async function useSnapshot (
  t: Test
): Promise<{ place: Place; settings: PoolSettings; job: RestoreJob; open: Open }> {
  const place = await usePlace(t)
  const settings = await settingsOf(place.url)
  const job = snapshotJob(place)
  t.match(await play({ settings, kind: 'snapshot', job }), { ended: { type: 'completed' } })
  return {
    place,
    settings,
    job: restoreJob(place, job.id),
    open: async (range) => createReadStream(job.spoolPath, { ...range, highWaterMark: 100 })
  }
}

/** Answers the questions of a restore for its bytes. */
function answersOf (open: Open): Answers {
  const streams = createSharedStreams(open)
  return {
    open: async (range) => await streams.open(range as ByteRange | undefined),
    read: async (stream) => await streams.read(stream as number),
    close: (stream) => { streams.close(stream as number) }
  }
}

t.test('outside of a worker performRun() does nothing', async (t) => {
  await t.resolves(performRun(null, undefined as unknown as RunRequest))
})

t.test('a snapshot asks its questions in order, and reports its result', async (t) => {
  const place = await usePlace(t)
  const job = snapshotJob(place)
  let written: unknown
  const played = await play(
    { settings: await settingsOf(place.url), kind: 'snapshot', job },
    {
      onWritten (value) {
        written = value
      }
    }
  )
  t.strictSame(played.asked, ['onLocked', 'onWritten'])
  t.match(written, {
    manifest: { id: job.id, totalRows: 5 },
    sizeBytes: (await readFile(job.spoolPath)).length
  })
  t.strictSame(played.progress.map(({ phase, table, rows }) => [phase, table, rows]), [['snapshot', null, 5]])
  t.match(played.ended, { type: 'completed' })
  t.strictSame(await locksLeft(place.sql), [], 'the connection is closed')
})

t.test('a restore reads the snapshot a chunk at a time, twice', async (t) => {
  const { place, settings, job, open } = await useSnapshot(t)
  await place.sql`DELETE FROM orders`
  const played = await play({ settings, kind: 'restore', job }, answersOf(open))
  const { asked, progress } = played
  t.strictSame(tablesOf(played), [['orders', 3], ['users', 2]])
  t.strictSame(resultOf<RestoredSnapshot>(played).drift, [])
  t.equal((await place.sql`SELECT FROM orders`).length, 3)
  t.strictSame(
    // A stream is closed as soon as its end is read, which is before the manifest of a small file is parsed
    asked.filter((question) => question !== 'read' && question !== 'close'),
    ['onLocked', 'open', 'parseManifest', 'onPreRestoreStarted', 'onPreRestoreWritten', 'open']
  )
  t.ok(asked.filter((question) => question === 'read').length > 10)
  t.strictSame([...new Set(progress.map(({ phase }) => phase))], ['verify', 'snapshot', 'load'])
})

t.test('a restore and a verification open a file of the file system\'s storage themselves', async (t) => {
  const { place, settings, job } = await useSnapshot(t)
  await place.sql`DELETE FROM orders`
  const file = { directory: place.directory, name: 'shop.json' }
  await rename(join(file.directory, job.id), join(file.directory, file.name))
  const restored = await play({ settings, kind: 'restore', job: { ...job, file } })
  t.strictSame(tablesOf(restored), [['orders', 3], ['users', 2]])
  t.strictSame(restored.asked,
    ['onLocked', 'parseManifest', 'onPreRestoreStarted', 'onPreRestoreWritten'])
  const read = await play({ kind: 'read', file })
  t.equal(resultOf<ReadSnapshot>(read).manifest.totalRows, 5)
  t.strictSame(read.asked, ['parseManifest'])
  const gone = await play({ kind: 'read', file: { ...file, name: 'other.json' } })
  t.match(gone.ended, { type: 'failed', error: { code: 'FST_BACKUP_FILE_GONE' } })
  t.strictSame(gone.asked, [])
})

t.test('a manifest that is long is parsed in the thread of the run', async (t) => {
  const directory = await useDirectory(t)
  const readNote = async (note: string): Promise<Played> => {
    const manifest = manifestOf([], { note })
    await writeFile(join(directory, 'a.json'), Buffer.concat([encodeHead(manifest), Buffer.from('{\n}}\n')]))
    return await play({ kind: 'read', file: { directory, name: 'a.json' } })
  }
  for (const [length, asked] of [[1000, ['parseManifest']], [300_000, []]] as const) {
    const read = await readNote('x'.repeat(length))
    t.equal(resultOf<ReadSnapshot>(read).manifest.note?.length, length)
    t.strictSame(read.asked, asked)
  }
})

t.test('a rejected question makes the run fail, which reports the question', async (t) => {
  const { place, settings, job, open } = await useSnapshot(t)
  const reject = (): never => { throw new Aborted('by the answer') }
  const locked = await play({ settings, kind: 'snapshot', job: snapshotJob(place) }, { onLocked: reject })
  const aborted = { code: 'FST_BACKUP_ABORTED', message: /by the answer/ }
  t.match(locked.ended, { type: 'failed', error: aborted, rejected: 1 })
  const unread = await play({ settings, kind: 'restore', job }, { ...answersOf(open), read: reject, close: reject })
  t.match(
    unread.ended,
    { type: 'failed', error: { code: 'FST_BACKUP_ABORTED' }, rejected: 3 },
    'the stream passes the error on'
  )
  t.strictSame(unread.asked, ['onLocked', 'open', 'read', 'close'])
})

t.test('a failure of the run is not reported as a rejected question', async (t) => {
  const place = await usePlace(t)
  const { ended } = await play({
    settings: await settingsOf(place.url),
    kind: 'snapshot',
    job: { ...snapshotJob(place), schema: 'nowhere' }
  })
  t.match(ended, { type: 'failed', rejected: undefined })
  t.ok(ended?.type === 'failed' && fromPortable(ended.error) instanceof SchemaNotFound)
})

t.test('an abort ends the run with its reason', async (t) => {
  const { place, settings, job, open } = await useSnapshot(t)
  const aborted = { type: 'failed', error: { code: 'FST_BACKUP_ABORTED', message: /by the test/ } }
  const abortFirst = (_value: unknown, port: MessagePort): void => { abort(port) }
  t.match(
    (await play({ settings, kind: 'snapshot', job: snapshotJob(place) }, { onLocked: abortFirst })).ended,
    aborted
  )
  t.match(
    (await play({ settings, kind: 'restore', job }, { ...answersOf(open), onPreRestoreStarted: abortFirst })).ended,
    aborted
  )
  t.strictSame(await locksLeft(place.sql), [])
})

t.test('the password can be asked for, and a rejection makes the run fail', async (t) => {
  const place = await usePlace(t)
  const { password, ...connection } = connectionOf(place.url)
  const settings = await settingsOf({ ...connection, password: async () => password })
  t.strictSame([settings.asksPassword, 'pass' in settings.options], [true, false])
  const request: RunRequest = { settings, kind: 'snapshot', job: snapshotJob(place) }
  const given = await play(request, { password: () => password })
  t.match(given.ended, { type: 'completed' })
  t.equal(given.asked[0], 'password')

  const rejected = await play(request, { password () { throw new Aborted('no token') } })
  t.strictSame(rejected.asked, ['password'])
  t.match(rejected.ended, { type: 'failed', error: { message: /no token/ }, rejected: 1 })
})

t.test('an abort is reported as one, even without a password for the cancel request', async (t) => {
  const place = await usePlace(t)
  const { password, ...connection } = connectionOf(place.url)
  const settings = await settingsOf({ ...connection, password: async () => password })
  const ports: MessagePort[] = []
  const { ended, asked } = await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    const playing = play({ settings, kind: 'snapshot', job: snapshotJob(place) }, {
      password (_value, port) {
        if (ports.push(port) > 1) throw new Error('the token has expired')
        return password
      }
    })
    await untilBlocked(place.sql)
    for (const port of ports) abort(port)
    return await playing
  })
  t.strictSame(asked, ['password', 'password'])
  t.match(ended, { type: 'failed', error: { code: 'FST_BACKUP_ABORTED', message: /by the test/ } })
})
