import { FileGone, NotCompleted, NotFound } from '../errors.ts'
import { describeRestores, type LoggedBackup } from '../log/log-row.ts'
import type { Backup, RestoreRecord } from '../../types/index.ts'
import { checkId } from '../arguments/check-arguments.ts'
import { isVisible } from './schema-access.ts'
import { type Completed, hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { findHolds, toGuarded } from '../consistency/holds.ts'

/**
 * Hides restores into a schema that the caller may not name. The error of a restore contains table names, and its
 * progress contains those of the pre_restore snapshot.
 */
export function toVisible (
  context: Context,
  { backup, restoredInto }: Pick<LoggedBackup, 'backup' | 'restoredInto'>
): LoggedBackup['backup'] {
  // A backup that is still running has no restores
  if (!context.options.areCallersBounded || backup.status === 'running') return backup
  const { progress, ...others } = backup
  const restores = backup.restores.filter(({ schema }) => isVisible(context, schema))
  const visible = { ...others, ...describeRestores(restores) }
  const isHidden = restoredInto === null || !isVisible(context, restoredInto)
  return backup.status === 'restored' && isHidden ? { ...visible, ...newestSuccess(restores) } : visible
}

/** What a caller sees who may not see the newest restore that succeeded. */
function newestSuccess (restores: RestoreRecord[]): Pick<Backup, 'status' | 'restoredAt' | 'restoredBy'> {
  const newest = restores.find(({ status }) => status === 'completed')
  return newest === undefined
    ? { status: 'completed', restoredAt: null, restoredBy: null }
    : { status: 'restored', restoredAt: newest.finishedAt, restoredBy: newest.by }
}

async function withAvailability (context: Context, logged: LoggedBackup): Promise<Omit<Backup, 'held'>> {
  const backup = toVisible(context, logged)
  if (!hasSnapshot(backup)) return { ...backup, available: false }
  // While the storage fails, no snapshot in it is available
  const stored = await context.storage.stat(backup.filename).catch(() => null)
  return { ...backup, available: stored !== null }
}

type Holds = Awaited<ReturnType<typeof findHolds>>

async function describe (context: Context, logged: LoggedBackup, holds: Holds): Promise<Backup> {
  const held = hasSnapshot(logged.backup) && holds(logged.backup.schema).isHeld(toGuarded(logged))
  return { ...await withAvailability(context, logged), held }
}

/** The backups as the caller sees them, with `available` and `held`. */
export async function describeBackups (context: Context, backups: LoggedBackup[]): Promise<Backup[]> {
  const holds = await findHolds(context, backups.map(({ backup }) => backup.schema))
  return await Promise.all(backups.map(async (logged) => await describe(context, logged, holds)))
}

export async function describeBackup (context: Context, logged: LoggedBackup): Promise<Backup> {
  return await describe(context, logged, await findHolds(context, [logged.backup.schema]))
}

/** Throws FST_BACKUP_NOT_FOUND also for a backup that the caller may not see. */
export async function getLogged (context: Context, id: string): Promise<LoggedBackup> {
  checkId(id)
  const logged = await context.log.get(id)
  if (logged === undefined || !isVisible(context, logged.backup.schema)) throw new NotFound(id)
  return logged
}

/** The schemas of the log that the caller may see; null if the caller may see all. */
export async function visibleSchemas (context: Context): Promise<string[] | null> {
  if (!context.options.areCallersBounded) return null
  return (await context.log.schemas()).filter((schema) => isVisible(context, schema))
}

/**
 * A backup whose snapshot can be read; `storedBytes` is the current size of the file. Throws FST_BACKUP_NOT_FOUND,
 * FST_BACKUP_NOT_COMPLETED or FST_BACKUP_FILE_GONE.
 */
export async function getAvailable (context: Context, id: string): Promise<Completed> {
  const { backup } = await getLogged(context, id)
  if (!hasSnapshot(backup)) throw new NotCompleted(id, backup.status)
  const stored = await context.storage.stat(backup.filename)
  if (stored === null) throw new FileGone(backup.filename)
  return { ...backup, available: true, held: false, storedBytes: stored.sizeBytes }
}
