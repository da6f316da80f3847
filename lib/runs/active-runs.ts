import type { Readable } from 'node:stream'
import { Aborted, ShuttingDown } from '../errors.ts'
import { createSemaphore, type Semaphore } from './semaphore.ts'

export interface Run {
  signal: AbortSignal
  /** No two runs of a process begin in the same millisecond: their files are named after it. */
  startedAt: Date
  end: () => void
}

/** What is under way in this process: backups, restores, readings, uploads, downloads. */
export interface Runs {
  /** Waits for a connection; rejects with FST_BACKUP_ABORTED or FST_BACKUP_SHUTTING_DOWN. */
  begin: (signal: AbortSignal | undefined) => Promise<Run>
  /** The same for reading a backup's file to its end, which needs no connection: it waits for other readings only. */
  beginReading: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** The same for an upload, whose pace the sender decides: it waits for other uploads only. */
  beginUpload: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** Throws FST_BACKUP_SHUTTING_DOWN after stop(). */
  requireOpen: () => void
  /** Destroys the stream and throws after stop(). */
  trackDownload: (id: string, stream: Readable) => void
  /** Whether a download or a reading has the file of this backup open. */
  isBeingRead: (id: string) => boolean
  /** Aborts all runs, destroys all downloads, and resolves when the runs have ended. */
  stop: () => Promise<void>
}

/** Each is a thread that is busy for as long as the file takes. */
const readingsAtOnce = 2
const uploadsAtOnce = 2

const abortedByCaller = (): Error => new Aborted('by the caller')

/** Runs that have begun, each with its signal. */
interface ActiveRuns {
  start: (semaphore: Semaphore, signal: AbortSignal | undefined) => Run
  abortAll: () => void
  /** Resolves when no run is left. */
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

/** The wait for a permit, which the caller or a shutdown may end. */
interface Admission {
  /** Throws FST_BACKUP_SHUTTING_DOWN after close(). */
  requireOpen: () => void
  enter: (semaphore: Semaphore, signal: AbortSignal | undefined) => Promise<void>
  /** Rejects those that wait, and everyone from now on. */
  close: () => void
}

function createAdmission (): Admission {
  const waiting = new Set<(error: Error) => void>()
  let closed = false

  function requireOpen (): void {
    if (closed) throw new ShuttingDown()
  }

  function requireWanted (signal: AbortSignal | undefined): void {
    requireOpen()
    if (signal?.aborted === true) throw abortedByCaller()
  }

  return {
    requireOpen,
    async enter (semaphore, signal) {
      requireWanted(signal)
      const waitEnded = new AbortController()
      await semaphore.acquire((abandon) => {
        waiting.add(abandon)
        waitEnded.signal.addEventListener('abort', () => { waiting.delete(abandon) })
        signal?.addEventListener('abort', () => { abandon(abortedByCaller()) }, { signal: waitEnded.signal })
      }).finally(() => { waitEnded.abort() })
      try {
        // The caller may have aborted between the release of the permit and this line
        requireWanted(signal)
      } catch (error) {
        semaphore.release()
        throw error
      }
    },
    close () {
      closed = true
      for (const abandon of waiting) abandon(new ShuttingDown())
    }
  }
}

/** @param connections the semaphore of the pool */
export function createRuns (connections: Semaphore, now: () => Date): Runs {
  const readings = createSemaphore(readingsAtOnce)
  const uploads = createSemaphore(uploadsAtOnce)
  const admission = createAdmission()
  const active = createActiveRuns(now)
  const downloads = new Map<Readable, string>()
  const beingRead = new Map<Run, string>()

  async function begin (semaphore: Semaphore, signal: AbortSignal | undefined): Promise<Run> {
    await admission.enter(semaphore, signal)
    return active.start(semaphore, signal)
  }

  async function beginReading (semaphore: Semaphore, id: string, signal: AbortSignal | undefined): Promise<Run> {
    const run = await begin(semaphore, signal)
    const { end } = run
    beingRead.set(run, id)
    return Object.assign(run, {
      end () {
        beingRead.delete(run)
        end()
      }
    })
  }

  return {
    requireOpen: admission.requireOpen,
    begin: async (signal) => await begin(connections, signal),
    beginReading: async (id, signal) => await beginReading(readings, id, signal),
    beginUpload: async (id, signal) => await beginReading(uploads, id, signal),
    trackDownload (id, stream) {
      try {
        admission.requireOpen()
      } catch (error) {
        stream.destroy()
        throw error
      }
      downloads.set(stream, id)
      stream.once('close', () => { downloads.delete(stream) })
    },
    isBeingRead: (id) => [...downloads.values(), ...beingRead.values()].includes(id),
    async stop () {
      admission.close()
      active.abortAll()
      for (const stream of downloads.keys()) stream.destroy()
      await active.idle()
    }
  }
}
