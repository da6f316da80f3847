import type { Readable } from 'node:stream'
import { Aborted, ShuttingDown } from '../errors.ts'
import { createSemaphore, type Semaphore } from './semaphore.ts'

export interface Run {
  signal: AbortSignal
  /** No two runs of a process begin in the same millisecond: their files are named after it. */
  startedAt: Date
  end: () => void
}

/** The operations in progress in this process: backups, restores, plans, readings, uploads, downloads. */
export interface Runs {
  /** Waits for a connection; rejects with FST_BACKUP_ABORTED or FST_BACKUP_SHUTTING_DOWN. */
  begin: (signal: AbortSignal | undefined) => Promise<Run>
  /** Like begin(), to read a backup's file to its end. Needs no connection, so it waits only for other readings. */
  beginReading: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** Like begin(), for an upload. The sender decides how long it takes, so it waits only for other uploads. */
  beginUpload: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** Like begin(), for a call that only queries the database. It waits for nothing. */
  beginQuery: (signal: AbortSignal | undefined) => Promise<Run>
  /** Throws FST_BACKUP_SHUTTING_DOWN after stop(). */
  requireOpen: () => void
  /** After stop(), destroys the stream and throws FST_BACKUP_SHUTTING_DOWN. */
  trackDownload: (id: string, stream: Readable) => void
  /** Whether a download or a reading has the file of this backup open. */
  isBeingRead: (id: string) => boolean
  /** Aborts all runs, destroys all downloads, and resolves when the runs have ended. */
  stop: () => Promise<void>
}

/** Each reading and each upload keeps a thread busy until the end of the file. */
const maxReadings = 2
const maxUploads = 2

const abortedByCaller = (): Error => new Aborted('by the caller')

/** Runs that have begun, each with its signal. */
interface ActiveRuns {
  start: (semaphore: Semaphore, signal: AbortSignal | undefined) => Run
  abortAll: () => void
  /** Resolves when all runs have ended. */
  idle: () => Promise<void>
}

function createActiveRuns (now: () => Date): ActiveRuns {
  const active = new Set<AbortController>()
  const onIdle: Array<() => void> = []
  let lastStart = 0
  return {
    start (semaphore, signal) {
      const controller = new AbortController()
      const abort = (): void => { controller.abort(abortedByCaller()) }
      signal?.addEventListener('abort', abort, { once: true })
      active.add(controller)
      lastStart = Math.max(now().getTime(), lastStart + 1)
      return {
        signal: controller.signal,
        startedAt: new Date(lastStart),
        end () {
          signal?.removeEventListener('abort', abort)
          active.delete(controller)
          semaphore.release()
          if (active.size === 0) for (const resolve of onIdle.splice(0)) resolve()
        }
      }
    },
    abortAll () {
      for (const controller of active) controller.abort(new ShuttingDown())
    },
    async idle () {
      if (active.size > 0) await new Promise<void>((resolve) => { onIdle.push(resolve) })
    }
  }
}

/** The wait for a permit. The caller's signal or a shutdown ends it. */
interface Admission {
  /** Throws FST_BACKUP_SHUTTING_DOWN after close(). */
  requireOpen: () => void
  enter: (semaphore: Semaphore, signal: AbortSignal | undefined) => Promise<void>
  /** Rejects all waits, present and future. */
  close: () => void
}

function createAdmission (): Admission {
  const waiting = new Set<(error: Error) => void>()
  let closed = false

  function requireOpen (): void {
    if (closed) throw new ShuttingDown()
  }

  function requireNotAborted (signal: AbortSignal | undefined): void {
    requireOpen()
    if (signal?.aborted === true) throw abortedByCaller()
  }

  return {
    requireOpen,
    async enter (semaphore, signal) {
      requireNotAborted(signal)
      const waitEnded = new AbortController()
      await semaphore.acquire((cancelWait) => {
        waiting.add(cancelWait)
        waitEnded.signal.addEventListener('abort', () => { waiting.delete(cancelWait) })
        signal?.addEventListener('abort', () => { cancelWait(abortedByCaller()) }, { signal: waitEnded.signal })
      }).finally(() => { waitEnded.abort() })
      try {
        // The signal may have aborted after the permit was released to this call and before this line runs
        requireNotAborted(signal)
      } catch (error) {
        semaphore.release()
        throw error
      }
    },
    close () {
      closed = true
      for (const cancelWait of waiting) cancelWait(new ShuttingDown())
    }
  }
}

/** Which backups' files are open. */
interface OpenFiles {
  /** Counts the file of this backup as open until the stream closes. */
  addDownload: (id: string, stream: Readable) => void
  /** Counts the file of this backup as open until the run ends. */
  addRun: (id: string, run: Run) => Run
  has: (id: string) => boolean
  destroyDownloads: () => void
}

function createOpenFiles (): OpenFiles {
  const downloads = new Map<Readable, string>()
  const runs = new Map<Run, string>()
  return {
    addDownload (id, stream) {
      downloads.set(stream, id)
      stream.once('close', () => { downloads.delete(stream) })
    },
    addRun (id, run) {
      const { end } = run
      runs.set(run, id)
      return Object.assign(run, {
        end () {
          runs.delete(run)
          end()
        }
      })
    },
    has: (id) => [...downloads.values(), ...runs.values()].includes(id),
    destroyDownloads () {
      for (const stream of downloads.keys()) stream.destroy()
    }
  }
}

/** @param connections the semaphore of the pool */
export function createRuns (connections: Semaphore, now: () => Date): Runs {
  const readings = createSemaphore(maxReadings)
  const uploads = createSemaphore(maxUploads)
  const queries = createSemaphore(Infinity)
  const admission = createAdmission()
  const active = createActiveRuns(now)
  const openFiles = createOpenFiles()

  async function begin (semaphore: Semaphore, signal: AbortSignal | undefined): Promise<Run> {
    await admission.enter(semaphore, signal)
    return active.start(semaphore, signal)
  }

  return {
    requireOpen: admission.requireOpen,
    begin: async (signal) => await begin(connections, signal),
    beginReading: async (id, signal) => openFiles.addRun(id, await begin(readings, signal)),
    beginQuery: async (signal) => await begin(queries, signal),
    beginUpload: async (id, signal) => openFiles.addRun(id, await begin(uploads, signal)),
    trackDownload (id, stream) {
      try {
        admission.requireOpen()
      } catch (error) {
        stream.destroy()
        throw error
      }
      openFiles.addDownload(id, stream)
    },
    isBeingRead: openFiles.has,
    async stop () {
      admission.close()
      active.abortAll()
      openFiles.destroyDownloads()
      await active.idle()
    }
  }
}
