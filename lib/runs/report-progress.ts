import type { Progress } from '../../types/index.ts'
import type { Context } from './context.ts'
import { callSafely } from './event-hub.ts'

type OnProgress = (progress: Progress) => void

/** Milliseconds between two updates of a run's progress in the log, where other replicas read it. */
const updateInterval = 1000

/**
 * A callback of the caller that cannot fail the run: an error that it throws is logged.
 * @param subject what the log line names
 */
export function withLoggedErrors (
  { logger }: Pick<Context, 'logger'>, subject: Record<string, string>, onProgress: OnProgress = () => {}
): OnProgress {
  return (progress) => {
    callSafely(() => onProgress(progress), () => { logger.error(subject, 'the onProgress callback threw an error') })
  }
}

/**
 * Passes each report to the caller and to the listeners, and one a second to the log. None of these can fail the run.
 */
export function createProgressLog (
  context: Context, id: string, event: 'backup:progress' | 'restore:progress', onProgress?: OnProgress
): OnProgress {
  const { log, events, clock } = context
  const report = withLoggedErrors(context, { id }, onProgress)
  let isUpdating = false
  let nextUpdate = clock.now().getTime() + updateInterval
  return (progress) => {
    report(progress)
    events.emit(event, { id, progress })
    const now = clock.now().getTime()
    if (isUpdating || now < nextUpdate) return
    isUpdating = true
    nextUpdate = now + updateInterval
    log.setProgress(id, progress).catch(() => {}).finally(() => { isUpdating = false })
  }
}
