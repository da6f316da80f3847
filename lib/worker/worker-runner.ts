import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RestoreUncertain, WorkerFailed } from '../errors.ts'
import type { PoolSettings } from '../postgres/driver/connection.ts'
import type { RestoredSnapshot } from '../restore/restore-snapshot.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import { shutdownMs } from '../shutdown.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import type { Progress } from '../../types/index.ts'
import type { FromWorker, Question, RunRequest, ToWorker } from './messages.ts'
import { fromPortable, toPortable } from './portable-error.ts'
import type { Runner } from './runner.ts'
import { createServedStreams, type ServedStreams } from './served-streams.ts'

/** A run makes little that lasts; three semi-spaces of 16 MiB each, V8's default, would only be memory taken from the service. */
const resourceLimits = { maxYoungGenerationSizeMb: 12 }

/** What the main thread says to the questions of a run. */
type Answers = Partial<Record<Question, (value: unknown) => Promise<unknown>>>

interface Hooks {
  answers: Answers
  onProgress: (progress: Progress) => void
  signal: AbortSignal
  /** What the run comes to when its worker dies. */
  onDeath: (reason: string) => Error
  /** The worker is no more, and nothing is to be waited for on its behalf. */
  abandon: () => void
}

/**
 * Each run takes place in a worker thread of its own, with a connection of its own: the service's event loop sees its messages and
 * nothing else. A worker that dies fails its run and nobody else's.
 *
 * @param askPassword where a function knows it; see PoolSettings
 * @param entry the worker's file
 */
export function createWorkerRunner (settings: PoolSettings, askPassword: () => Promise<string>, entry: URL): Runner {
  const workers = new Map<Worker, Promise<unknown>>()

  function startWorker (request: RunRequest): Worker {
    // Not with what the service was started with: a loader or an agent of its own would start once more in every run
    const worker = new Worker(entry, { workerData: request, execArgv: [], name: 'fastify-backup', resourceLimits })
    workers.set(worker, new Promise<void>((resolve) => {
      worker.once('exit', () => {
        workers.delete(worker)
        resolve()
      })
    }))
    return worker
  }

  async function run (request: RunRequest, { answers, onProgress, signal, onDeath, abandon }: Hooks): Promise<unknown> {
    await startThreadPool()
    signal.throwIfAborted()
    const worker = startWorker(request)
    const tell = (message: ToWorker, moved: ArrayBuffer[] = []): void => { worker.postMessage(message, moved) }
    const abort = (): void => { tell({ type: 'abort', reason: toPortable(signal.reason) }) }
    const refusals = new Map<number, unknown>()
    const answering = new Set<Promise<void>>()

    async function answer (id: number, question: Question, value: unknown): Promise<void> {
      try {
        const given = await answers[question]?.(value)
        // Bytes move rather than being copied: they are in memory of their own
        tell({ type: 'answer', id, value: given }, given instanceof Uint8Array ? [given.buffer as ArrayBuffer] : [])
      } catch (error) {
        // It comes back as the failure of the run
        refusals.set(id, error)
        tell({ type: 'refusal', id, error: toPortable(error) })
      }
    }

    signal.addEventListener('abort', abort)
    try {
      return await new Promise((resolve, reject) => {
        worker.on('message', (message: FromWorker) => {
          if (message.type === 'progress') {
            onProgress(message.progress)
          } else if (message.type === 'question') {
            // A password that never comes is not waited for: its connection gives up by itself
            const answered = answer(message.id, message.question, message.value).finally(() => { answering.delete(answered) })
            if (message.question !== 'password') answering.add(answered)
          } else if (message.type === 'completed') {
            resolve(message.result)
          } else {
            reject(message.refused === undefined ? fromPortable(message.error) : refusals.get(message.refused))
          }
        })
        worker.once('error', (error) => { reject(onDeath(reasonOf(error))) })
        worker.once('exit', (code) => { reject(onDeath(`exit code ${code}`)) })
      })
    } finally {
      signal.removeEventListener('abort', abort)
      abandon()
      // A file that is being published must be there or not before anybody decides what becomes of it
      await Promise.all(answering)
    }
  }

  return {
    async takeSnapshot (job, { onLocked, onWritten, onProgress, signal }) {
      await run({ settings, kind: 'snapshot', job }, {
        answers: {
          onLocked,
          onWritten: async (written) => { await onWritten(written as WrittenSnapshot) },
          password: askPassword
        },
        onProgress,
        signal,
        onDeath: (reason) => failureOf(reason, signal),
        abandon () {}
      })
    },
    async restoreSnapshot (job, { onLocked, open, onPreRestoreStarted, onPreRestoreWritten, onProgress, signal }) {
      const streams = createServedStreams(open)
      let mayCommit = false
      return await run({ settings, kind: 'restore', job }, {
        answers: {
          onLocked,
          ...answersOf(streams),
          onPreRestoreStarted,
          async onPreRestoreWritten (written) {
            await onPreRestoreWritten(written as WrittenSnapshot)
            mayCommit = true
          },
          password: askPassword
        },
        onProgress,
        signal,
        onDeath: (reason) => mayCommit ? new RestoreUncertain(`the worker thread ended early, ${reason}`) : failureOf(reason, signal),
        abandon: streams.closeAll
      }) as RestoredSnapshot
    },
    async readThrough (file: StoredFile | null, { open, onProgress, signal, limits }: ReadHooks) {
      const streams = createServedStreams(open)
      return await run({ kind: 'read', file, limits }, {
        answers: answersOf(streams),
        onProgress,
        signal,
        onDeath: (reason) => failureOf(reason, signal),
        abandon: streams.closeAll
      }) as ReadSnapshot
    },
    async close () {
      await Promise.race([Promise.all(workers.values()), delay(shutdownMs.workers, undefined, { ref: false })])
      await Promise.all([...workers.keys()].map(async (worker) => await worker.terminate()))
    }
  }
}

const answersOf = ({ open, read, close }: ServedStreams): Answers => ({
  open,
  read: async (stream) => await read(stream as number),
  close: async (stream) => { close(stream as number) }
})

/**
 * Threads take after the one that makes them. Those of libuv's pool serve the whole process, and must not be made by a worker, whose
 * priority is low (uv_queue_work; init_threads() makes all of them with the first piece of work).
 */
async function startThreadPool (): Promise<void> {
  await Promise.allSettled([stat('.')])
}

/** A worker that was asked to end, and did not, is ended by force: that is no failure of its own. */
function failureOf (reason: string, signal: AbortSignal): Error {
  return signal.aborted ? signal.reason : new WorkerFailed(reason)
}

/** The message may hold anything. */
function reasonOf (error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : error instanceof Error ? error.name : typeof error
}
