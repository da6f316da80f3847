import { Busy, NotFound } from '../errors.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import { applyRetention } from '../retention.ts'
import type { Backup, BackupTrigger, PrunedBackup } from '../../types/index.ts'
import type { Context } from './context.ts'
import { healLog } from './heal-log.ts'
import { errorText } from './outcome.ts'
import { getBackup } from './read-backups.ts'

const isInUse = ({ runs }: Context, { id, restore }: Backup): boolean => runs.isDownloading(id) || restore?.status === 'running'

/** First the mark, then the file, then the row: a crash in between is healed by the mark. */
async function finishRemoval ({ log, storage }: Context, { backup }: LoggedBackup): Promise<void> {
  await storage.remove(backup.filename)
  await log.deleteRow(backup.id)
}

async function pruneSchema (context: Context, schema: string, retentionDays: number | null): Promise<PrunedBackup[]> {
  const { options, log, clock, events } = context
  const reasons = new Map<string, string>()
  const marked = await log.markRemoved(schema, (finished) => {
    const backups = finished.map(({ backup }) => backup)
    const decision = applyRetention(backups.flatMap((backup) => backup.status === 'running'
      ? []
      : [{ ...backup, status: backup.status, inUse: isInUse(context, backup) }]), { maxBackups: options.maxBackups, retentionDays, now: clock.now() })
    for (const { id, reason } of decision.remove) reasons.set(id, reason)
    return backups.filter(({ id }) => reasons.has(id))
  })
  const pruned: PrunedBackup[] = []
  for (const logged of marked) {
    await finishRemoval(context, logged)
    const entry = { backup: logged.backup, reason: reasons.get(logged.backup.id) ?? '' }
    pruned.push(entry)
    events.emit('backup:pruned', entry)
  }
  return pruned
}

/** Applies the policy to every schema that has backups. */
export async function pruneAll (context: Context): Promise<PrunedBackup[]> {
  const pruned: PrunedBackup[] = []
  for (const schema of await context.log.schemas()) pruned.push(...await pruneSchema(context, schema, context.options.schedule.retentionDays))
  return pruned
}

/** A backup that is made is made, whatever becomes of older ones: a failure here is only logged. */
export async function pruneAfterRun (context: Context, schema: string, trigger: BackupTrigger): Promise<void> {
  try {
    await healLog(context)
    await pruneSchema(context, schema, trigger === 'scheduled' ? context.options.schedule.retentionDays : null)
  } catch (error) {
    context.logger.warn({ schema, reason: errorText(error) }, 'old backups could not be pruned; the next run tries again')
  }
}

export async function removeBackup (context: Context, id: string): Promise<void> {
  const { log } = context
  const backup = await getBackup(context, id)
  if (backup.status === 'running' || isInUse(context, backup)) throw new Busy(`The backup ${id} is in use`)
  const [marked] = await log.markRemoved(backup.schema, (finished) => finished.map((logged) => logged.backup).filter((other) => other.id === id))
  if (marked === undefined) {
    // In use by another replica, or removed in the meantime
    if (await log.get(id) === undefined) throw new NotFound(id)
    throw new Busy(`The backup ${id} is in use`)
  }
  await finishRemoval(context, marked)
}
