import { calendarCadence } from '../schedule/calendar-cadence.ts'
import { intervalCadence } from '../schedule/interval-cadence.ts'
import { createFailureHistory } from '../schedule/failure-history.ts'
import { createScheduler, type Scheduler, type SchedulerOptions, type SlotOutcome } from '../schedule/scheduler.ts'
import type { Context } from '../runs/context.ts'
import { beginCreate } from '../service/create-backup.ts'
import { failDeadRuns } from '../consistency/heal-log.ts'
import { codeOf, isOwnError } from '../own-error.ts'
import { publicError } from '../runs/public-error.ts'
import { SlotTaken } from '../consistency/snapshot-record.ts'
import { isTransient } from '../runs/transient-failure.ts'
import type { Claim } from '../log/run-records.ts'

/**
 * Creates a backup for each slot of the schedule; the backup claims its slot in the log.
 * @throws FST_BACKUP_OPTION_INVALID for an invalid cron expression
 */
export function scheduleBackups (context: Context): Scheduler {
  const { options, logger, clock } = context
  const { cron, mode, timezone, schemas, concurrency } = options.schedule
  const cadence = mode === 'calendar' ? calendarCadence(cron, timezone) : intervalCadence(cron)
  if (cadence.warning !== null) logger.warn(cadence.warning)
  return createScheduler({ cadence, schemas, ...slotCallbacks(context), concurrency, clock, logger })
}

function slotCallbacks (context: Context): Pick<SchedulerOptions, 'run' | 'lastSlot'> {
  const { log, options: { schedule: { cron } } } = context
  const report = createSlotReport(context)

  return {
    async run (schema, slot, signal) {
      let id: string | undefined
      try {
        const claim = await newestClaim(context, schema, slot)
        if (claim?.slot.getTime() === slot.getTime()) return claim.running ? 'busy' : 'taken'
        const { backup, finished } = await beginCreate(context, { schema, signal }, {
          slot, cron, isRetry: report.hasFailed(schema, slot)
        })
        id = backup.id
        await finished
        report.success(schema, slot)
        return 'done'
      } catch (error) {
        const outcome = report.failure(error, { id, schema, trigger: 'scheduled', slot })
        // If this fails, the next attempt repeats it
        if (outcome === 'retry') await log.thinAttempts(schema, slot).catch(() => {})
        return outcome
      }
    },
    /** Another replica that runs for the slot may still release it, so the slot counts only when that run has ended. */
    async lastSlot (schema, slot) {
      const claim = await newestClaim(context, schema, slot)
      return claim?.running === true ? new Date(claim.slot.getTime() - 1) : claim?.slot ?? null
    }
  }
}

/** First marks dead runs as failed, which releases their slots. Otherwise these slots would count as done. */
async function newestClaim (context: Context, schema: string, slot: Date): Promise<Claim | null> {
  await failDeadRuns(context)
  return await context.log.newestClaim(schema, slot)
}

/** What the log line of a failure names; `id` only if the run had begun. */
interface ScheduledRun { id: string | undefined, schema: string, trigger: 'scheduled', slot: Date }

interface SlotReport {
  /** Whether the slot has failed before. */
  hasFailed: (schema: string, slot: Date) => boolean
  success: (schema: string, slot: Date) => void
  /** Logs the failure, and returns what the scheduler does next. */
  failure: (error: unknown, run: ScheduledRun) => SlotOutcome
}

function createSlotReport ({ logger }: Context): SlotReport {
  const history = createFailureHistory()
  return {
    hasFailed: (schema, slot) => history.hasFailed(schema, slot.getTime()),
    success (schema, slot) {
      const failures = history.recordSuccess(schema)
      if (failures > 0) logger.info({ schema, slot, failures }, 'a scheduled backup has succeeded after failures')
    },
    failure (error, run) {
      if (error instanceof SlotTaken || isOwnError(error, 'BUSY')) return 'busy'
      // The run itself logs SHUTTING_DOWN, and the storage keeper STORAGE_TAKEN
      if (isOwnError(error, 'SHUTTING_DOWN') || isOwnError(error, 'STORAGE_TAKEN')) return 'retry'
      const failure = publicError(error)
      const { message: reason } = failure
      const retry = isTransient(error)
      const level = history.recordFailure(run.schema, run.slot.getTime(), reason)
      logger[level]({ ...run, code: codeOf(failure), reason, retry }, 'a scheduled backup failed')
      return retry ? 'retry' : 'done'
    }
  }
}
