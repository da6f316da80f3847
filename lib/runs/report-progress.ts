import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'
import type { Context } from './context.ts'
import { callSafely } from './event-hub.ts'
import { createProgressTotals } from './progress-totals.ts'

type OnProgress = (progress: Progress) => void

/** Milliseconds between two updates of a run's progress in the log, where other replicas read it. */
const updateInterval = 1000

/**
 * The progress of a run that only reads a file. The callback of the caller cannot fail the run.
 * @param subject what the log line about an error of the callback names
 * @param fileBytes the size of the file; null if it is not known
 */
export function createReadingProgress (
  context: Pick<Context, 'logger' | 'clock'>, subject: Record<string, string>, fileBytes: number | null,
  onProgress?: OnProgress
): OnPhaseProgress {
  const report = withLoggedErrors(context, subject, onProgress)
  const total = createProgressTotals({ verify: 1 }, fileBytes, () => context.clock.now().getTime())
  return (progress) => { report(total(progress)) }
}

function withLoggedErrors (
  { logger }: Pick<Context, 'logger'>, subject: Record<string, string>, onProgress: OnProgress = () => {}
): OnProgress {
  return (progress) => {
    callSafely(() => onProgress(progress), () => { logger.error(subject, 'the onProgress callback threw an error') })
  }
}

/**
 * Passes each report to the caller and to the listeners, and one a second to the log. None of these can fail the run.
 */
function createProgressLog (
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

export function createBackupProgress (context: Context, id: string, onProgress?: OnProgress): OnPhaseProgress {
  const report = createProgressLog(context, id, 'backup:progress', onProgress)
  const total = createProgressTotals({ snapshot: 1 }, null, () => context.clock.now().getTime())
  return (progress) => { report(total(progress)) }
}

/** @param fileBytes the size of the file that is restored */
export function createRestoreProgress (
  context: Context, id: string, fileBytes: number, onProgress?: OnProgress
): OnPhaseProgress {
  const report = createProgressLog(context, id, 'restore:progress', onProgress)
  const shares = { verify: 1, snapshot: 2, load: 6 }
  const total = createProgressTotals(shares, fileBytes, () => context.clock.now().getTime())
  return (progress) => { report(total(progress)) }
}
