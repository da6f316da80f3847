import type { MessagePort } from 'node:worker_threads'
import { addAbortSignal, Readable } from 'node:stream'
import { connectBySettings } from '../postgres/driver/connection.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { SnapshotHooks } from '../backup/take-snapshot.ts'
import { openStoredFile, type StoredFile } from '../storage/stored-file.ts'
import type { DatabaseRun, FromWorker, Question, RunRequest, ToWorker } from './messages.ts'
import { fromPortable, toPortable } from './portable-error.ts'
import { throttleProgress } from './throttle-progress.ts'

/** The main thread, as a run in a worker sees it. */
interface MainThread {
  ask: (question: Question, value?: unknown) => Promise<unknown>
  tell: (message: FromWorker) => void
  signal: AbortSignal
  /** The question that it refused with this error. */
  refusedWith: (error: unknown) => number | undefined
}

/**
 * One run from the connection to the file, in a worker: what has to happen on the main thread is asked for by messages. Closes the port at
 * the end.
 * @param port null outside of a worker, where nothing is to be done
 * @param prepareThread is called first, in a worker
 */
export async function performRun (port: MessagePort | null, request: RunRequest, prepareThread: () => void = () => {}): Promise<void> {
  if (port === null) return
  prepareThread()
  const main = listen(port)
  const database = request.kind === 'read' ? undefined : connect(main, request)
  try {
    const result = request.kind === 'read' ? await readFile(main, request) : await database?.perform()
    main.tell({ type: 'completed', result })
  } catch (thrown) {
    const error = database?.causeOf(thrown) ?? thrown
    main.tell({ type: 'failed', error: toPortable(error), refused: main.refusedWith(error) })
  } finally {
    // Told before: nobody has to wait for it
    await database?.close()
    port.close()
  }
}

// A run loads what it needs, and no more: what checks a manifest takes 0.4 s to load, and a backup has none to check

async function readFile (main: MainThread, { file, limits }: Extract<RunRequest, { kind: 'read' }>): Promise<unknown> {
  const { readThrough } = await import('../snapshot/find-problems.ts')
  return await readThrough({ ...readHooks(main, file), limits })
}

/** A connection of its own, and what is done on it. */
function connect (main: MainThread, request: DatabaseRun): { perform: () => Promise<unknown>, causeOf: (error: unknown) => unknown, close: () => Promise<void> } {
  let unknownPassword: unknown
  // What this function rejects with, postgres.js 3.4.9 leaves to nobody, and that ends the thread
  const sql = connectBySettings(request.settings, async () => await main.ask('password').catch(async (error: unknown) => {
    unknownPassword = error
    await sql.end({ timeout: 0 })
    return await new Promise<never>(() => {})
  }) as string)
  return {
    perform: async () => {
      if (request.kind === 'snapshot') {
        const { takeSnapshot } = await import('../backup/take-snapshot.ts')
        return await takeSnapshot(sql, request.job, snapshotHooks(main))
      }
      const { restoreSnapshot } = await import('../restore/restore-snapshot.ts')
      return await restoreSnapshot(sql, request.job, restoreHooks(main, request.job))
    },
    // A request to cancel has a connection of its own, whose password may be the one that is missing
    causeOf: (error) => main.signal.aborted ? error : unknownPassword ?? error,
    close: async () => { await sql.end({ timeout: 1 }) }
  }
}

function listen (port: MessagePort): MainThread {
  const waiting = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  const refusals = new Map<unknown, number>()
  const aborting = new AbortController()
  let questions = 0

  port.on('message', (message: ToWorker) => {
    if (message.type === 'abort') {
      aborting.abort(fromPortable(message.reason))
      return
    }
    const asker = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.type === 'answer') {
      asker?.resolve(message.value)
    } else {
      const error = fromPortable(message.error)
      refusals.set(error, message.id)
      asker?.reject(error)
    }
  })

  const tell = (message: FromWorker): void => { port.postMessage(message) }
  return {
    tell,
    ask: async (question, value) => await new Promise((resolve, reject) => {
      const id = ++questions
      waiting.set(id, { resolve, reject })
      tell({ type: 'question', id, question, value })
    }),
    signal: aborting.signal,
    refusedWith: (error) => refusals.get(error)
  }
}

function snapshotHooks (main: MainThread): SnapshotHooks {
  return {
    async onLocked () { await main.ask('onLocked') },
    async onWritten (written: WrittenSnapshot) { await main.ask('onWritten', written) },
    onProgress: throttleProgress((progress) => { main.tell({ type: 'progress', progress }) }),
    signal: main.signal
  }
}

function readHooks (main: MainThread, file: StoredFile | null): ReadHooks {
  return {
    // Opened here, not one byte of it takes time from the main thread
    open: async () => file === null
      ? readStream(main, await main.ask('open') as number)
      : addAbortSignal(main.signal, await openStoredFile(file)),
    onProgress: throttleProgress((progress) => { main.tell({ type: 'progress', progress }) }),
    signal: main.signal
  }
}

function restoreHooks (main: MainThread, { file }: RestoreJob): RestoreHooks {
  return {
    async onLocked () { await main.ask('onLocked') },
    async onPreRestoreStarted () { await main.ask('onPreRestoreStarted') },
    async onPreRestoreWritten (written: WrittenSnapshot) { await main.ask('onPreRestoreWritten', written) },
    ...readHooks(main, file)
  }
}

/** The bytes of a stream of the main thread. One chunk is on its way while the one before it is read. */
function readStream (main: MainThread, stream: number): Readable {
  const askForNext = (): Promise<unknown> => {
    const next = main.ask('read', stream)
    // Nobody may come for it any more
    next.catch(() => {})
    return next
  }

  async function * chunks (): AsyncGenerator<Buffer> {
    let next = askForNext()
    try {
      for (;;) {
        const chunk = await next as Uint8Array | null
        if (chunk === null) return
        next = askForNext()
        yield Buffer.from(chunk.buffer)
      }
    } finally {
      main.ask('close', stream).catch(() => {})
    }
  }
  return Readable.from(chunks(), { objectMode: true, highWaterMark: 1 })
}
