import { calendarCadence } from '../schedule/calendar-cadence.ts'
import { intervalCadence } from '../schedule/interval-cadence.ts'
import { createFailureNotes } from '../schedule/failure-notes.ts'
import { createScheduler, type Scheduler, type SlotOutcome } from '../schedule/scheduler.ts'
import type { Context } from '../runs/context.ts'
import { beginCreate } from '../service/create-backup.ts'
import { failDeadRuns } from '../consistency/heal-log.ts'
import { isOwnError } from '../own-error.ts'
import { errorText } from '../runs/public-error.ts'
import { SlotTaken } from '../consistency/publish-snapshot.ts'
import { mayPass } from '../runs/transient-failure.ts'
import type { Claim } from '../log/run-records.ts'

/** Joins the schedule to the service: a slot is a backup that claims it in the log. Throws FST_BACKUP_OPTION_INVALID for a bad expression. */
export function scheduleBackups (context: Context): Scheduler {
  const { options, log, logger, clock } = context
  const { cron, mode, timezone, schemas, concurrency } = options.schedule
  const notes = createFailureNotes()
  const cadence = mode === 'calendar' ? calendarCadence(cron, timezone) : intervalCadence(cron)
  if (cadence.warning !== null) logger.warn(cadence.warning)

  /** A run that died gives its slot back first, or the slot would count as served. */
  async function newestClaim (schema: string, slot: Date): Promise<Claim | null> {
    await failDeadRuns(context)
    return await log.newestClaim(schema, slot)
  }

  /** A slot that another replica is serving may still come back: it counts from its end on. */
  async function lastSlot (schema: string, slot: Date): Promise<Date | null> {
    const claim = await newestClaim(schema, slot)
    return claim?.running === true ? new Date(claim.slot.getTime() - 1) : claim?.slot ?? null
  }

  async function run (schema: string, slot: Date, signal: AbortSignal): Promise<SlotOutcome> {
    try {
      const claim = await newestClaim(schema, slot)
      if (claim?.slot.getTime() === slot.getTime()) return claim.running ? 'busy' : 'taken'
      await (await beginCreate(context, { schema, signal }, { slot, cron })).finished
      tellOfSuccess(schema, slot)
      return 'done'
    } catch (error) {
      const outcome = outcomeOfSlot(error, schema, slot)
      // The next attempt does it otherwise
      if (outcome === 'retry') await log.thinAttempts(schema, slot).catch(() => {})
      return outcome
    }
  }

  function outcomeOfSlot (error: unknown, schema: string, slot: Date): SlotOutcome {
    if (error instanceof SlotTaken) return 'busy'
    if (isOwnError(error, 'BUSY')) return 'busy'
    // What keeps the storage has told of the second
    if (isOwnError(error, 'SHUTTING_DOWN') || isOwnError(error, 'STORAGE_TAKEN')) return 'retry'
    const reason = errorText(error)
    const retry = mayPass(error)
    logger[notes.note(schema, slot.getTime(), reason)]({ schema, slot, reason, retry }, 'a scheduled backup failed')
    return retry ? 'retry' : 'done'
  }

  function tellOfSuccess (schema: string, slot: Date): void {
    const failures = notes.forget(schema)
    if (failures > 0) logger.info({ schema, slot, failures }, 'a scheduled backup has succeeded after it had failed')
  }

  return createScheduler({ cadence, schemas, run, lastSlot, concurrency, clock, logger })
}
