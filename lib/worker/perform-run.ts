import type { MessagePort } from 'node:worker_threads'
import { addAbortSignal, Readable } from 'node:stream'
import { openPlain } from '../pipeline/plain-source.ts'
import { connectBySettings } from '../postgres/driver/connection.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { SnapshotHooks } from '../backup/take-snapshot.ts'
import type { Manifest } from '../../types/index.ts'
import { openStoredFile, type StoredFile } from '../storage/stored-file.ts'
import type { DatabaseRun, FromWorker, Question, RunRequest, ToWorker } from './messages.ts'
import { fromPortable, toPortable } from './portable-error.ts'
import { throttleProgress } from './throttle-progress.ts'

/** The main thread, as a worker accesses it. */
interface MainThread {
  ask: (question: Question, value?: unknown) => Promise<unknown>
  send: (message: FromWorker) => void
  signal: AbortSignal
  /** The question that the main thread rejected with this error; undefined for another error. */
  rejectedQuestion: (error: unknown) => number | undefined
}

/**
 * Does one run in a worker, from the connection to the file. Asks the main thread by messages for what only that can
 * do. Closes the port at the end.
 * @param port null outside of a worker, where this does nothing
 * @param prepareThread called first, in a worker
 */
export async function performRun (
  port: MessagePort | null,
  request: RunRequest,
  prepareThread: () => void = () => {}
): Promise<void> {
  if (port === null) return
  prepareThread()
  const main = listen(port)
  const database = request.kind === 'read' ? undefined : connect(main, request)
  try {
    const result = request.kind === 'read' ? await readFile(main, request) : await database?.perform()
    main.send({ type: 'completed', result })
  } catch (thrown) {
    const error = database?.causeOf(thrown) ?? thrown
    main.send({ type: 'failed', error: toPortable(error), rejected: main.rejectedQuestion(error) })
  } finally {
    // The result has been sent: the main thread does not wait for the connection to close
    await database?.close()
    port.close()
  }
}

// A run loads only the modules that it needs

async function readFile (main: MainThread, { file, limits }: Extract<RunRequest, { kind: 'read' }>): Promise<unknown> {
  const { readThrough } = await import('../snapshot/find-problems.ts')
  return await readThrough({ ...readHooks(main, file), limits })
}

/** The connection of a run. */
interface RunConnection {
  perform: () => Promise<unknown>
  /** Returns the cause of an error of perform(): the missing password, or the error itself. */
  causeOf: (error: unknown) => unknown
  close: () => Promise<void>
}

function connect (main: MainThread, request: DatabaseRun): RunConnection {
  let passwordError: unknown
  // postgres.js 3.4.9 does not handle a rejection of this function, and an unhandled rejection ends the thread
  const sql = connectBySettings(request.settings, async () => {
    try {
      return await main.ask('password') as string
    } catch (error) {
      passwordError = error
      await sql.end({ timeout: 0 })
      return await new Promise<never>(() => {})
    }
  })
  return {
    perform: async () => {
      if (request.kind === 'snapshot') {
        const { takeSnapshot } = await import('../backup/take-snapshot.ts')
        return await takeSnapshot(sql, request.job, snapshotHooks(main))
      }
      const { restoreSnapshot } = await import('../restore/restore-snapshot.ts')
      return await restoreSnapshot(sql, request.job, restoreHooks(main, request.job))
    },
    // After an abort, the missing password may be that of the connection for the cancel request
    causeOf: (error) => main.signal.aborted ? error : passwordError ?? error,
    close: async () => { await sql.end({ timeout: 1 }) }
  }
}

function listen (port: MessagePort): MainThread {
  const waiting = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  const rejections = new Map<unknown, number>()
  const aborting = new AbortController()
  let questions = 0

  port.on('message', (message: ToWorker) => {
    if (message.type === 'abort') {
      aborting.abort(fromPortable(message.reason))
      return
    }
    const question = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.type === 'answer') {
      question?.resolve(message.value)
    } else {
      const error = fromPortable(message.error)
      rejections.set(error, message.id)
      question?.reject(error)
    }
  })

  const send = (message: FromWorker): void => { port.postMessage(message) }
  return {
    send,
    ask: async (question, value) => await new Promise((resolve, reject) => {
      const id = ++questions
      waiting.set(id, { resolve, reject })
      send({ type: 'question', id, question, value })
    }),
    signal: aborting.signal,
    rejectedQuestion: (error) => rejections.get(error)
  }
}

function snapshotHooks (main: MainThread): SnapshotHooks {
  return {
    async onLocked () { await main.ask('onLocked') },
    async onWritten (written: WrittenSnapshot) { await main.ask('onWritten', written) },
    onProgress: throttleProgress((progress) => { main.send({ type: 'progress', progress }) }),
    signal: main.signal
  }
}

/**
 * The main thread has loaded the validator of manifests, which takes 0.2 s here. A manifest with more characters is
 * parsed here all the same, since it would block the main thread for longer than a few milliseconds.
 */
const largestAsked = 256 * 1024

function readHooks (main: MainThread, file: StoredFile | null, storedBytes?: number): ReadHooks {
  return {
    // A file that the worker opens itself takes no time of the main thread
    open: openPlain(async (range) => file === null
      ? readStream(main, await main.ask('open', range) as number)
      : addAbortSignal(main.signal, await openStoredFile(file, range)), storedBytes),
    parseManifest: async (json) => json.length > largestAsked
      ? (await import('../snapshot/parse-manifest.ts')).parseManifest(json)
      : await main.ask('parseManifest', json) as Manifest,
    onProgress: throttleProgress((progress) => { main.send({ type: 'progress', progress }) }),
    signal: main.signal
  }
}

function restoreHooks (main: MainThread, { file, storedBytes }: RestoreJob): RestoreHooks {
  return {
    async onLocked () { await main.ask('onLocked') },
    async onPreRestoreStarted () { await main.ask('onPreRestoreStarted') },
    async onPreRestoreWritten (written: WrittenSnapshot) { await main.ask('onPreRestoreWritten', written) },
    ...readHooks(main, file, storedBytes)
  }
}

/** Reads a stream of the main thread. The next chunk is requested while the current one is processed. */
function readStream (main: MainThread, stream: number): Readable {
  const requestNext = (): Promise<unknown> => {
    const next = main.ask('read', stream)
    // The reader may have ended, and would not handle the rejection
    next.catch(() => {})
    return next
  }

  async function * chunks (): AsyncGenerator<Buffer> {
    let next = requestNext()
    try {
      for (;;) {
        const chunk = await next as Uint8Array | null
        if (chunk === null) return
        next = requestNext()
        yield Buffer.from(chunk.buffer)
      }
    } finally {
      main.ask('close', stream).catch(() => {})
    }
  }
  return Readable.from(chunks(), { objectMode: true, highWaterMark: 1 })
}
