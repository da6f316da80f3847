import type { Readable } from 'node:stream'
import { Aborted, ShuttingDown } from '../errors.ts'

export interface Run { signal: AbortSignal, end: () => void }

/** What is under way in this process: backups, restores, downloads. */
export interface Runs {
  /** Waits for a free connection; rejects with FST_BACKUP_ABORTED or FST_BACKUP_SHUTTING_DOWN. */
  begin: (signal: AbortSignal | undefined) => Promise<Run>
  /** Throws FST_BACKUP_SHUTTING_DOWN once stop() was called. */
  requireOpen: () => void
  trackDownload: (id: string, stream: Readable) => void
  isDownloading: (id: string) => boolean
  /** Aborts all runs, destroys all downloads, and resolves when the runs have ended. */
  stop: () => Promise<void>
}

/** @param connections of the pool. One is kept free: each run needs the log while it holds its transaction, and would wait for ever. */
export function createRuns (connections: number): Runs {
  const capacity = connections - 1
  const active = new Map<AbortController, Promise<void>>()
  const downloads = new Map<Readable, string>()
  const waiting: Array<() => void> = []
  let stopped = false

  function requireOpen (): void {
    if (stopped) throw new ShuttingDown()
  }

  async function vacancy (): Promise<void> {
    while (active.size >= capacity && !stopped) await new Promise<void>((resolve) => { waiting.push(resolve) })
  }

  return {
    requireOpen,
    async begin (signal) {
      await vacancy()
      requireOpen()
      if (signal?.aborted === true) throw new Aborted('by the caller')
      const controller = new AbortController()
      const abort = (): void => { controller.abort(new Aborted('by the caller')) }
      signal?.addEventListener('abort', abort, { once: true })
      let ended = (): void => {}
      active.set(controller, new Promise((resolve) => { ended = resolve }))
      return {
        signal: controller.signal,
        end () {
          signal?.removeEventListener('abort', abort)
          active.delete(controller)
          ended()
          waiting.shift()?.()
        }
      }
    },
    trackDownload (id, stream) {
      downloads.set(stream, id)
      stream.once('close', () => { downloads.delete(stream) })
    },
    isDownloading: (id) => [...downloads.values()].includes(id),
    async stop () {
      stopped = true
      for (const wake of waiting.splice(0)) wake()
      for (const controller of active.keys()) controller.abort(new ShuttingDown())
      for (const stream of downloads.keys()) stream.destroy()
      await Promise.all(active.values())
    }
  }
}
