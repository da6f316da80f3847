import type { Readable } from 'node:stream'
import { Aborted, ShuttingDown } from '../errors.ts'
import { createPlaces, type Places } from './semaphore.ts'

export interface Run {
  signal: AbortSignal
  /** No two runs of a process begin in the same millisecond: their files are named after it. */
  startedAt: Date
  end: () => void
}

/** What is under way in this process: backups, restores, readings, downloads. */
export interface Runs {
  /** Waits for a place; rejects with FST_BACKUP_ABORTED or FST_BACKUP_SHUTTING_DOWN. */
  begin: (signal: AbortSignal | undefined) => Promise<Run>
  /** The same for what reads the file of a backup through and needs no connection: it waits for others of its kind, and for no backup. */
  beginReading: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** The same for what arrives from elsewhere, at a pace that others decide: it keeps no place from those who read what is there. */
  beginUpload: (id: string, signal: AbortSignal | undefined) => Promise<Run>
  /** Throws FST_BACKUP_SHUTTING_DOWN once stop() was called. */
  requireOpen: () => void
  /** Destroys the stream and throws when stop() was called in the meantime. */
  trackDownload: (id: string, stream: Readable) => void
  /** Whether its file is being read, by a download or otherwise. */
  isBeingRead: (id: string) => boolean
  /** Aborts all runs, destroys all downloads, and resolves when the runs have ended. */
  stop: () => Promise<void>
}

/** Each is a thread that is busy for as long as the file takes. */
const readingsAtOnce = 2
const uploadsAtOnce = 2

export function createRuns (places: Places, now: () => Date): Runs {
  const readings = createPlaces(readingsAtOnce)
  const uploads = createPlaces(uploadsAtOnce)
  const waiting = new Set<(error: Error) => void>()
  const active = new Set<AbortController>()
  const idle: Array<() => void> = []
  const downloads = new Map<Readable, string>()
  const reading = new Map<Run, string>()
  let lastStart = 0
  let stopped = false

  function requireOpen (): void {
    if (stopped) throw new ShuttingDown()
  }

  function requireWanted (signal: AbortSignal | undefined): void {
    requireOpen()
    if (signal?.aborted === true) throw byCaller()
  }

  async function occupy (room: Places, signal: AbortSignal | undefined): Promise<void> {
    const waits = new AbortController()
    await room.take((giveUp) => {
      waiting.add(giveUp)
      waits.signal.addEventListener('abort', () => { waiting.delete(giveUp) })
      signal?.addEventListener('abort', () => { giveUp(byCaller()) }, { signal: waits.signal })
    }).finally(() => { waits.abort() })
    try {
      // Between being given a place and taking it
      requireWanted(signal)
    } catch (error) {
      room.give()
      throw error
    }
  }

  function startRun (room: Places, signal: AbortSignal | undefined): Run {
    const controller = new AbortController()
    const abort = (): void => { controller.abort(byCaller()) }
    signal?.addEventListener('abort', abort, { once: true })
    active.add(controller)
    lastStart = Math.max(now().getTime(), lastStart + 1)
    return {
      signal: controller.signal,
      startedAt: new Date(lastStart),
      end () {
        signal?.removeEventListener('abort', abort)
        active.delete(controller)
        room.give()
        if (active.size === 0) for (const tell of idle.splice(0)) tell()
      }
    }
  }

  async function beginIn (room: Places, signal: AbortSignal | undefined): Promise<Run> {
    requireWanted(signal)
    await occupy(room, signal)
    return startRun(room, signal)
  }

  async function beginReadingIn (room: Places, id: string, signal: AbortSignal | undefined): Promise<Run> {
    const run = await beginIn(room, signal)
    const { end } = run
    reading.set(run, id)
    return Object.assign(run, {
      end () {
        reading.delete(run)
        end()
      }
    })
  }

  return {
    requireOpen,
    begin: async (signal) => await beginIn(places, signal),
    beginReading: async (id, signal) => await beginReadingIn(readings, id, signal),
    beginUpload: async (id, signal) => await beginReadingIn(uploads, id, signal),
    trackDownload (id, stream) {
      if (stopped) stream.destroy()
      requireOpen()
      downloads.set(stream, id)
      stream.once('close', () => { downloads.delete(stream) })
    },
    isBeingRead: (id) => [...downloads.values(), ...reading.values()].includes(id),
    async stop () {
      stopped = true
      for (const giveUp of waiting) giveUp(new ShuttingDown())
      for (const controller of active) controller.abort(new ShuttingDown())
      for (const stream of downloads.keys()) stream.destroy()
      if (active.size > 0) await new Promise<void>((resolve) => { idle.push(resolve) })
    }
  }
}

const byCaller = (): Error => new Aborted('by the caller')
