import type { Progress } from '../../types/index.ts'
import type { Context } from './context.ts'
import { callGuarded } from './event-hub.ts'

/** Milliseconds between two notes of a run's progress in the log, where other replicas read it. */
const noteInterval = 1000

/** Tells the caller and the listeners of each report, and the log now and then. Nothing of it can fail the run. */
export function createProgressLog ({ log, events, clock, logger }: Context, id: string, event: 'backup:progress' | 'restore:progress', onProgress: (progress: Progress) => void = () => {}): (progress: Progress) => void {
  let noting = false
  let nextNote = clock.now().getTime() + noteInterval
  return (progress) => {
    callGuarded(() => onProgress(progress), () => { logger.error({ id }, 'the onProgress of a call threw') })
    events.emit(event, { id, progress })
    const now = clock.now().getTime()
    if (noting || now < nextNote) return
    noting = true
    nextNote = now + noteInterval
    log.setProgress(id, progress).catch(() => {}).finally(() => { noting = false })
  }
}
