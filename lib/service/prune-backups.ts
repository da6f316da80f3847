import { Busy } from '../errors.ts'
import type { FinishedBackup, LoggedBackup } from '../log/log-row.ts'
import { applyRetention, type RetainedSnapshot } from '../retention.ts'
import type { BackupTrigger, PrunedBackup } from '../../types/index.ts'
import type { Context } from './context.ts'
import { finishRemoval, healLog } from './heal-log.ts'
import { errorText } from './outcome.ts'
import { getLogged } from './read-backups.ts'

const isInUse = ({ runs }: Context, { id, restore }: LoggedBackup['backup']): boolean => runs.isDownloading(id) || restore?.status === 'running'

const retained = (context: Context, { backup }: FinishedBackup): RetainedSnapshot => ({ ...backup, inUse: isInUse(context, backup) })

async function pruneSchema (context: Context, schema: string, retentionDays: number | null): Promise<PrunedBackup[]> {
  const { options, log, clock, events } = context
  const policy = { maxBackups: options.maxBackups, retentionDays, now: clock.now() }
  const marked = await log.markRemoved(schema, (finished) => applyRetention(finished.map((logged) => retained(context, logged)), policy).remove)
  const pruned: PrunedBackup[] = []
  for (const { reason, ...logged } of marked) {
    await finishRemoval(context, logged)
    const entry = { backup: { ...logged.backup, available: false }, reason }
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
  const { backup } = await getLogged(context, id)
  if (backup.status === 'running' || isInUse(context, backup)) throw new Busy(`The backup ${id} is in use`)
  const [marked] = await log.markRemoved(backup.schema, (finished) => finished.map((logged) => logged.backup).filter((other) => other.id === id))
  if (marked === undefined) {
    // In use by another replica, or removed in the meantime
    await getLogged(context, id)
    throw new Busy(`The backup ${id} is in use`)
  }
  await finishRemoval(context, marked)
}
