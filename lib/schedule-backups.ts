import { calendarCadence } from './schedule/calendar-cadence.ts'
import { intervalCadence } from './schedule/interval-cadence.ts'
import { createScheduler, type Scheduler, type SlotOutcome } from './schedule/scheduler.ts'
import type { Context } from './service/context.ts'
import { beginCreate } from './service/create-backup.ts'
import { failDeadRuns } from './service/heal-log.ts'
import { errorText, isOwnError } from './service/outcome.ts'
import { SlotTaken } from './service/publication.ts'
import { requireOwnStorage } from './service/storage-owner.ts'
import type { Claim } from './log/run-records.ts'

/** Joins the schedule to the service: a slot is a backup that claims it in the log. Throws FST_BACKUP_OPTION_INVALID for a bad expression. */
export function scheduleBackups (context: Context): Scheduler {
  const { options, log, logger, clock } = context
  const { cron, mode, timezone, schemas } = options.schedule
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
      await requireOwnStorage(context)
      const claim = await newestClaim(schema, slot)
      if (claim?.slot.getTime() === slot.getTime()) return claim.running ? 'busy' : 'taken'
      await (await beginCreate(context, { schema, signal }, { slot, cron })).finished
      return 'done'
    } catch (error) {
      return outcomeOfSlot(error, schema, slot)
    }
  }

  function outcomeOfSlot (error: unknown, schema: string, slot: Date): SlotOutcome {
    if (error instanceof SlotTaken) return 'busy'
    if (isOwnError(error, 'BUSY')) return 'busy'
    // What keeps the storage has told of the second
    if (isOwnError(error, 'SHUTTING_DOWN') || isOwnError(error, 'STORAGE_TAKEN')) return 'retry'
    logger.error({ schema, slot, reason: errorText(error) }, 'a scheduled backup failed')
    // Somebody may renew a certificate before the next slot
    return isOwnError(error, 'DATABASE_UNAVAILABLE') || isOwnError(error, 'DATABASE_INSECURE') ? 'retry' : 'done'
  }

  return createScheduler({ cadence, schemas, run, lastSlot, clock, logger })
}
