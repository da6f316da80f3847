import { Busy, NotCompleted, NotFound } from '../errors.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { BackupChanges } from '../log/updates.ts'
import type { Backup } from '../../types/index.ts'
import { checkArguments, checkId } from '../arguments/check-arguments.ts'
import { hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { describeBackup, getLogged } from '../callers/visible-backups.ts'
import { removeSidecar, removeSidecars, writeSidecar } from '../consistency/sidecar.ts'

const attempts = 10

/** Keeps a change in the log and beside the file. Throws FST_BACKUP_NOT_COMPLETED for the acceptance of what is no snapshot. */
export async function updateBackup (context: Context, id: string, changes: BackupChanges): Promise<Backup> {
  checkId(id)
  checkArguments('update', changes)
  for (let attempt = 0; attempt < attempts; attempt++) {
    const updated = await tryUpdate(context, id, changes)
    if (updated !== undefined) return updated
  }
  throw new Busy(`The backup ${id} is being changed by others`)
}

/** Undefined when somebody else has changed it in the meantime. */
async function tryUpdate (context: Context, id: string, changes: BackupChanges): Promise<Backup | undefined> {
  const logged = await getLogged(context, id)
  if (changes.accepted !== undefined && !hasSnapshot(logged.backup)) throw new NotCompleted(id, logged.backup.status)
  const version = await isWorthSidecar(context, logged, changes) ? await keepBeside(context, id, changes) : logged.sidecar
  const updated = await context.log.update(id, changes, version)
  if (version !== null && version !== logged.sidecar) {
    const { filename } = logged.backup
    // Of a backup that was removed meanwhile nobody else would
    const clear = updated === undefined ? removeSidecar(context, filename, version) : removeSidecars(context, filename, version - 1)
    await clear.catch(() => {})
  }
  if (updated === undefined) return undefined
  return await describeBackup(context, updated)
}

async function isWorthSidecar ({ storage }: Context, { backup }: LoggedBackup, changes: BackupChanges): Promise<boolean> {
  const { pinned, note, accepted } = { ...backup, ...changes }
  const isChange = pinned !== backup.pinned || note !== backup.note || accepted !== backup.accepted
  return isChange && hasSnapshot(backup) && await storage.stat(backup.filename) !== null
}

/** First beside the file: what the log says is never less safe than what survives it. Gives the version. */
async function keepBeside (context: Context, id: string, changes: BackupChanges): Promise<number> {
  const reserved = await context.log.reserveSidecar(id)
  if (reserved === undefined) throw new NotFound(id)
  const { backup: { filename, ...before }, sidecar: version } = reserved
  const { pinned = before.pinned, note = before.note, accepted = before.accepted } = changes
  await writeSidecar(context, filename, version, { pinned, note, accepted })
  return version
}
