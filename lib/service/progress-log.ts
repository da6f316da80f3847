import type { Progress } from '../../types/index.ts'
import type { Context } from './context.ts'

/** Milliseconds between two notes of a run's progress in the log, where other replicas read it. */
const noteInterval = 1000

/** Tells the caller and the listeners of each report, and the log now and then. Nothing of it can fail the run. */
export function createProgressLog ({ log, events }: Context, id: string, event: 'backup:progress' | 'restore:progress', onProgress: ((progress: Progress) => void) | undefined): (progress: Progress) => void {
  let noting = false
  let nextNote = Date.now() + noteInterval
  return (progress) => {
    onProgress?.(progress)
    events.emit(event, { id, progress })
    if (noting || Date.now() < nextNote) return
    noting = true
    nextNote = Date.now() + noteInterval
    log.setProgress(id, progress).catch(() => {}).finally(() => { noting = false })
  }
}
