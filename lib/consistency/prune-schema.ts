import { type FinishedBackup, hasRunningRestore, type LoggedBackup } from '../log/log-row.ts'
import { applyRetention, type RetainedSnapshot } from '../retention/apply-retention.ts'
import { isUnaccepted } from '../retention/guarded-snapshot.ts'
import type { BackupTrigger, PrunedBackup } from '../../types/index.ts'
import { hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { holdOf, toGuarded } from './holds.ts'
import { healLog } from './heal-log.ts'
import { createRunLog } from '../runs/log-run.ts'
import { errorText } from '../runs/public-error.ts'
import { traceRun } from '../runs/trace-run.ts'
import { removeEach } from './remove-files.ts'

interface Pruning {
  schema: string
  /**
   * Names of the files in the storage. A file that appears later counts as missing this time, which is harmless: a row
   * without a file does not cause others to be pruned.
   */
  stored: Set<string>
  retentionDays: number | null
  /** The id of the backup that the run has just made. */
  justMade?: string
  /** What started that run. */
  trigger: BackupTrigger
}

export const isInUse = ({ runs }: Context, backup: LoggedBackup['backup']): boolean =>
  runs.isBeingRead(backup.id) || hasRunningRestore(backup)

function retained (context: Context, finished: FinishedBackup[], { stored, justMade }: Pruning): RetainedSnapshot[] {
  const hold = holdOf(context, finished.filter(({ backup }) => hasSnapshot(backup)))
  return finished.map((logged) => {
    const { backup, ordinal, insertedAt } = logged
    return {
      ...backup,
      ordinal,
      insertedAt,
      available: stored.has(backup.filename),
      inUse: isInUse(context, backup),
      justMade: backup.id === justMade,
      damaged: backup.verification?.ok === false,
      unaccepted: isUnaccepted(backup),
      held: hold.isHeld(toGuarded(logged)),
      preRestoreId: backup.restores.find(({ schema }) => schema === backup.schema)?.preRestoreId ?? null
    }
  })
}

export async function pruneSchema (context: Context, pruning: Pruning): Promise<PrunedBackup[]> {
  const { schema, trigger, justMade = null } = pruning
  return await traceRun('prune', {
    context: { id: justMade, schema, trigger }, summarize: (pruned) => ({ removedCount: pruned.length })
  }, async () => await prune(context, pruning))
}

async function prune (context: Context, pruning: Pruning): Promise<PrunedBackup[]> {
  const { options, log, events } = context
  const { schema, retentionDays } = pruning
  const policy = { maxBackups: options.maxBackups, keep: options.retention, retentionDays }
  const marked = await log.markRemoved(schema, (finished, now) => {
    return applyRetention(retained(context, finished, pruning), { ...policy, now }).remove
  })
  if (marked.length === 0) return []
  const runLog = createRunLog(context, 'pruning', { schema })
  runLog.begin({ backups: marked.length })
  const pruned: PrunedBackup[] = []
  await removeEach(context, marked, async ({ backup, reason }) => {
    await log.deleteRow(schema, backup.id)
    const entry = { backup: { ...backup, available: false, held: false }, reason }
    pruned.push(entry)
    events.emit('backup:pruned', entry)
  })
  const bytes = pruned.reduce((sum, { backup }) => sum + (backup.sizeBytes ?? 0), 0)
  runLog.end({ removed: pruned.length, bytes })
  return pruned
}

/** Logs errors instead of throwing them: the new backup is complete even when older ones cannot be pruned. */
export async function pruneAfterRun (
  context: Context, schema: string, trigger: BackupTrigger, justMade: string
): Promise<void> {
  try {
    // At the same time as the log is healed: only completed backups count, which healing does not change
    const looking = storedOf(context, schema)
    looking.catch(() => {})
    await healLog(context)
    const stored = await looking
    const retentionDays = trigger === 'scheduled' ? context.options.schedule.retentionDays : null
    await pruneSchema(context, { schema, stored, retentionDays, justMade, trigger })
  } catch (error) {
    context.logger.warn({ schema, reason: errorText(error) }, 'old backups could not be pruned; the next run retries')
  }
}

/** Looks for each file by name, since the storage may contain many files of other schemas. */
async function storedOf ({ log, storage }: Context, schema: string): Promise<Set<string>> {
  const snapshots = await log.snapshots(schema)
  const found = await Promise.all(snapshots.map(async ({ backup }) => await storage.stat(backup.filename)))
  return new Set(found.flatMap((file) => file?.name ?? []))
}
