import type { LoggedBackup } from '../log/log-row.ts'
import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'
import { removeSidecars } from './sidecar.ts'

/** Removes the file of a backup and its sidecars. Idempotent. */
export async function removeFiles (
  context: Pick<Context, 'storage'>, { backup, sidecar }: LoggedBackup
): Promise<void> {
  await context.storage.remove(backup.filename)
  if (sidecar !== null) await removeSidecars(context, backup.filename, sidecar)
}

/** Completes a removal that is marked in the log. The mark lets healing complete it after a crash. */
export async function finishRemoval (
  context: Pick<Context, 'storage' | 'log'>, logged: LoggedBackup
): Promise<void> {
  if (logged.hasFile) await removeFiles(context, logged)
  await context.log.deleteRow(logged.backup.schema, logged.backup.id)
}

/**
 * Removes the files of each backup, then calls `done`. Continues after a file that cannot be deleted: each process logs
 * such a file once, the status lists it while it exists, and every later run retries. Returns the backups whose files
 * were removed.
 */
export async function removeEach<T extends LoggedBackup> (
  { storage, logger, undeletable }: Pick<Context, 'storage' | 'logger' | 'undeletable'>,
  removals: T[],
  done: (logged: T) => Promise<void>
): Promise<T[]> {
  const removed: T[] = []
  for (const logged of removals) {
    const { id, filename } = logged.backup
    try {
      if (logged.hasFile) await removeFiles({ storage }, logged)
    } catch (error) {
      if (!undeletable.has(id)) {
        logger.warn(
          { id, filename, reason: errorText(error) },
          'the file of a backup cannot be deleted; delete it by hand, or make it deletable'
        )
      }
      undeletable.add(id)
      continue
    }
    undeletable.delete(id)
    await done(logged)
    removed.push(logged)
  }
  return removed
}
