import { Busy } from '../errors.ts'
import type { FinishedBackup, LoggedBackup } from '../log/log-row.ts'
import { applyRetention, type RetainedSnapshot } from '../retention.ts'
import type { BackupTrigger, PrunedBackup } from '../../types/index.ts'
import type { Context } from './context.ts'
import { failDeadRuns, finishRemoval, healLog } from './heal-log.ts'
import { errorText } from './outcome.ts'
import { getLogged } from './read-backups.ts'
import { requireOwnStorage } from './storage-owner.ts'

const isInUse = ({ runs }: Context, { id, restore }: LoggedBackup['backup']): boolean => runs.isBeingRead(id) || restore?.status === 'running'

function retained (context: Context, { backup }: FinishedBackup, stored: Set<string>): RetainedSnapshot {
  return { ...backup, available: stored.has(backup.filename), inUse: isInUse(context, backup) }
}

async function pruneSchema (context: Context, schema: string, retentionDays: number | null): Promise<PrunedBackup[]> {
  const { options, log, storage, clock, events } = context
  const policy = { maxBackups: options.maxBackups, retentionDays, now: clock.now() }
  const names = (await storage.list()).map(({ name }) => name)
  await requireOwnStorage(context, names)
  // A file that comes after this look counts as missing for once, and a row without a file is not what makes others go
  const stored = new Set(names)
  const marked = await log.markRemoved(schema, (finished) => applyRetention(finished.map((logged) => retained(context, logged, stored)), policy).remove)
  const pruned: PrunedBackup[] = []
  for (const { reason, ...logged } of marked) {
    await finishRemoval(context, logged)
    const entry = { backup: { ...logged.backup, available: false, held: false }, reason }
    pruned.push(entry)
    events.emit('backup:pruned', entry)
  }
  return pruned
}

/** Applies the policy to every schema that has backups. */
export async function pruneAll (context: Context): Promise<PrunedBackup[]> {
  const pruned: PrunedBackup[] = []
  const { enabled, retentionDays } = context.options.schedule
  // Without a schedule of its own, a service knows nothing of how long scheduled snapshots are to be kept
  for (const schema of await context.log.schemas()) pruned.push(...await pruneSchema(context, schema, enabled ? retentionDays : null))
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
  let { backup } = await getLogged(context, id)
  if (backup.status === 'running' || backup.restore?.status === 'running') {
    // Its replica may have died since
    await failDeadRuns(context)
    backup = (await getLogged(context, id)).backup
  }
  if (backup.status === 'running' || isInUse(context, backup)) throw new Busy(`The backup ${id} is in use`)
  await requireOwnStorage(context)
  const [marked] = await log.markRemoved(backup.schema, (finished) => finished.map((logged) => logged.backup).filter((other) => other.id === id))
  if (marked === undefined) {
    // In use by another replica, or removed in the meantime
    await getLogged(context, id)
    throw new Busy(`The backup ${id} is in use`)
  }
  await finishRemoval(context, marked)
}
