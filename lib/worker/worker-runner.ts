import { RestoreUncertain, WorkerFailed } from '../errors.ts'
import type { ByteRange } from '../../types/index.ts'
import type { PoolSettings } from '../postgres/driver/connection.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import type { RestoredSnapshot } from '../restore/restore-snapshot.ts'
import { parseManifest } from '../snapshot/parse-manifest.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { DatabaseRun, RunRequest } from './messages.ts'
import { type Answers, type RunHooks, runInWorker } from './run-in-worker.ts'
import type { Runner } from './runner.ts'
import { createSharedStreams, type SharedStreams } from './shared-streams.ts'
import { createWorkerThreads, startThreadPool } from './worker-threads.ts'

type Run = (request: RunRequest, hooks: RunHooks) => Promise<unknown>

/**
 * Does each run in its own worker thread, with its own connection, so that the service's event loop handles only its
 * messages. When a worker ends early, only its run fails.
 *
 * @param askPassword for a pool whose password is a function; see PoolSettings
 * @param entry the worker's file
 */
export function createWorkerRunner (settings: PoolSettings, askPassword: () => Promise<string>, entry: URL): Runner {
  const threads = createWorkerThreads(entry)

  const run: Run = async (request, hooks) => {
    await startThreadPool()
    hooks.signal.throwIfAborted()
    return await runInWorker(threads.start(request), hooks)
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
        earlyEndError: (reason) => failureOf(reason, signal),
        onEnd () {}
      })
    },
    async restoreSnapshot (job, hooks) {
      return await restore(run, { settings, kind: 'restore', job }, askPassword, hooks)
    },
    async readThrough (file, { open, onProgress, signal, limits }) {
      const streams = createSharedStreams(open)
      return await run({ kind: 'read', file, limits }, {
        answers: answersOf(streams),
        onProgress,
        signal,
        earlyEndError: (reason) => failureOf(reason, signal),
        onEnd: streams.closeAll
      }) as ReadSnapshot
    },
    close: threads.close
  }
}

async function restore (
  run: Run,
  request: DatabaseRun & { job: RestoreJob },
  askPassword: () => Promise<string>,
  { onLocked, open, onPreRestoreStarted, onPreRestoreWritten, onProgress, signal }: RestoreHooks
): Promise<RestoredSnapshot> {
  const streams = createSharedStreams(open)
  let mayCommit = false
  return await run(request, {
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
    earlyEndError: (reason) => mayCommit
      ? new RestoreUncertain(`the worker thread ended early, ${reason}`)
      : failureOf(reason, signal),
    onEnd: streams.closeAll
  }) as RestoredSnapshot
}

const answersOf = ({ open, read, close }: SharedStreams): Answers => ({
  parseManifest: async (json) => parseManifest(json as string),
  open: async (range) => await open(range as ByteRange | undefined),
  read: async (stream) => await read(stream as number),
  close: async (stream) => { close(stream as number) }
})

/** Termination after an abort is not a failure of the worker, so the run fails for the reason of the abort. */
function failureOf (reason: string, signal: AbortSignal): Error {
  return signal.aborted ? signal.reason : new WorkerFailed(reason)
}
