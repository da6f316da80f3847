import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'
import type { RestoreKey } from '../log/restore-records.ts'
import type { Context } from './context.ts'
import { callSafely } from './event-hub.ts'
import type { RunLog } from './log-run.ts'
import { createProgressTotals, type PhaseShares, type RunTotals, type SnapshotSize } from './progress-totals.ts'

type OnProgress = (progress: Progress) => void

/** The progress of one run. None of its receivers can fail the run. */
export interface RunProgress {
  onProgress: OnPhaseProgress
  /** The run has completed: the last report says 100 percent. */
  end: () => void
}

/** Milliseconds between two updates of a run's progress in the log, where other replicas read it. */
const updateInterval = 2000

/** Measured with 140 to 300 MB. Of restores they are the means of tables without indexes and with three of them. */
const shares: Record<'backup' | 'restore' | 'reading' | 'import' | 'plan', PhaseShares> = {
  backup: { snapshot: 97 },
  restore: { verify: 12, snapshot: 20, load: 63 },
  reading: { verify: 100 },
  import: { verify: 95 },
  plan: { count: 100 }
}

function createRunProgress ({ clock }: Pick<Context, 'clock'>, totals: RunTotals, report: OnProgress): RunProgress {
  const total = createProgressTotals(totals, () => clock.now().getTime())
  let last: Progress | undefined
  return {
    onProgress (progress) {
      last = total(progress)
      report(last)
    },
    end () {
      if (last !== undefined) report({ ...last, percent: 100, etaMs: 0 })
    }
  }
}

/**
 * The progress of a run that only reads a file.
 * @param subject what the log line about an error of the callback names
 * @param fileBytes the size of the file; null if it is not known
 */
export function createReadingProgress (
  context: Pick<Context, 'logger' | 'clock'>, subject: Record<string, string>, fileBytes: number | null,
  onProgress?: OnProgress
): RunProgress {
  const totals = { shares: shares.reading, fileBytes, lastSnapshot: null }
  return createRunProgress(context, totals, withLoggedErrors(context, subject, onProgress))
}

/** The same for a plan, which reads tables and no file. */
export function createPlanProgress (
  context: Pick<Context, 'logger' | 'clock'>, id: string, onProgress?: OnProgress
): RunProgress {
  const totals = { shares: shares.plan, fileBytes: null, lastSnapshot: null }
  return createRunProgress(context, totals, withLoggedErrors(context, { id }, onProgress))
}

/** The same for a file that is received. */
export function createImportProgress (
  context: Pick<Context, 'logger' | 'clock'>, id: string, fileBytes: number | null, onProgress?: OnProgress
): RunProgress {
  const totals = { shares: shares.import, fileBytes, lastSnapshot: null }
  return createRunProgress(context, totals, withLoggedErrors(context, { id }, onProgress))
}

/** @param lastSnapshot null if the schema has none that can be compared */
export function createBackupProgress (
  context: Context, id: string, lastSnapshot: SnapshotSize | null, runLog: RunLog, onProgress?: OnProgress
): RunProgress {
  const totals = { shares: shares.backup, fileBytes: null, lastSnapshot }
  const { log, events } = context
  return createRunProgress(context, totals, createProgressLog(context, id, runLog, {
    emit: (progress) => { events.emit('backup:progress', { id, progress }) },
    record: async (progress) => { await log.setProgress(id, progress) }
  }, onProgress))
}

/** @param fileBytes the size of the file that is restored */
export function createRestoreProgress (
  context: Context, key: RestoreKey, fileBytes: number, runLog: RunLog, onProgress?: OnProgress
): RunProgress {
  const totals = { shares: shares.restore, fileBytes, lastSnapshot: null }
  const { log, events } = context
  const { id, target: schema } = key
  return createRunProgress(context, totals, createProgressLog(context, id, runLog, {
    emit: (progress) => { events.emit('restore:progress', { id, schema, progress }) },
    record: async (progress) => { await log.setRestoreProgress(key, progress) }
  }, onProgress))
}

/** A callback of the caller: an error that it throws is logged. */
function withLoggedErrors (
  { logger }: Pick<Context, 'logger'>, subject: Record<string, string>, onProgress: OnProgress = () => {}
): OnProgress {
  return (progress) => {
    callSafely(() => onProgress(progress), () => { logger.error(subject, 'the onProgress callback threw an error') })
  }
}

interface ProgressReceivers {
  /** Tells the listeners. */
  emit: OnProgress
  /** Writes it to the log. */
  record: (progress: Progress) => Promise<void>
}

/** Passes each report to the caller and to the listeners, and one every two seconds to the log. */
function createProgressLog (
  context: Context, id: string, runLog: RunLog, { emit, record }: ProgressReceivers, onProgress?: OnProgress
): OnProgress {
  const { clock } = context
  const report = withLoggedErrors(context, { id }, onProgress)
  let phase = ''
  let isUpdating = false
  let nextUpdate = clock.now().getTime() + updateInterval
  return (progress) => {
    if (progress.phase !== phase) runLog.phase(progress.phase)
    phase = progress.phase
    report(progress)
    emit(progress)
    const now = clock.now().getTime()
    if (isUpdating || now < nextUpdate) return
    isUpdating = true
    nextUpdate = now + updateInterval
    record(progress).catch(() => {}).finally(() => { isUpdating = false })
  }
}
