import { FileGone, NotCompleted, NotFound } from '../errors.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Backup } from '../../types/index.ts'
import { checkId } from '../arguments/check-arguments.ts'
import { isVisible } from './schema-access.ts'
import { type Completed, hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { findHolds, toGuarded } from '../consistency/holds.ts'

/**
 * What the caller may know of a backup: nothing of its restores into a schema that he may not name. Their errors name tables, and their runs show
 * those of the snapshot that is taken before.
 */
export function toVisible (context: Context, { backup, restoreSchema, restoredInto }: LoggedBackup): LoggedBackup['backup'] {
  if (!context.options.areCallersBounded) return backup
  const isHidden = (schema: string | null): boolean => schema === null || !isVisible(context, schema)
  const visible = { ...backup }
  if (backup.restore !== null && isHidden(restoreSchema)) {
    visible.restore = null
    if (backup.status !== 'running') delete visible.progress
  }
  if (backup.status === 'restored' && isHidden(restoredInto)) Object.assign(visible, { status: 'completed', restoredAt: null, restoredBy: null })
  return visible
}

async function withAvailability (context: Context, logged: LoggedBackup): Promise<Omit<Backup, 'held'>> {
  const backup = toVisible(context, logged)
  // A storage that can't be asked has nothing to give either
  const available = hasSnapshot(backup) && await context.storage.stat(backup.filename).then((found) => found !== null, () => false)
  return { ...backup, available }
}

/** As callers see them: whether their files are there, and whether they are held. */
export async function describeBackups (context: Context, backups: LoggedBackup[]): Promise<Backup[]> {
  const holds = await findHolds(context, backups.map(({ backup }) => backup.schema))
  return await Promise.all(backups.map(async (logged) => {
    const { schema } = logged.backup
    return { ...await withAvailability(context, logged), held: hasSnapshot(logged.backup) && holds(schema).isHeld(toGuarded(logged)) }
  }))
}

export async function describeBackup (context: Context, logged: LoggedBackup): Promise<Backup> {
  const [backup] = await describeBackups(context, [logged])
  return backup as Backup
}

/** Throws FST_BACKUP_NOT_FOUND also for a backup that the caller may not see. */
export async function getLogged (context: Context, id: string): Promise<LoggedBackup> {
  checkId(id)
  const logged = await context.log.get(id)
  if (logged === undefined || !isVisible(context, logged.backup.schema)) throw new NotFound(id)
  return logged
}

/** The schemas of the log that the caller may see; null when there is no bound. */
export async function visibleSchemas (context: Context): Promise<string[] | null> {
  if (!context.options.areCallersBounded) return null
  return (await context.log.schemas()).filter((schema) => isVisible(context, schema))
}

/** A backup whose snapshot can be read; `sizeBytes` is that of the file as it is. Throws FST_BACKUP_NOT_COMPLETED or FST_BACKUP_FILE_GONE. */
export async function getAvailable (context: Context, id: string): Promise<Completed> {
  const { backup } = await getLogged(context, id)
  if (!hasSnapshot(backup)) throw new NotCompleted(id, backup.status)
  const stored = await context.storage.stat(backup.filename)
  if (stored === null) throw new FileGone(backup.filename)
  return { ...backup, available: true, held: false, sizeBytes: stored.sizeBytes }
}
