import { Busy, NotCompleted } from '../errors.ts'
import type { BackupChanges } from '../log/updates.ts'
import type { Backup } from '../../types/index.ts'
import { checkArguments, checkId } from './arguments.ts'
import { hasSnapshot } from './completed.ts'
import type { Context } from './context.ts'
import { describeBackup, getLogged } from './read-backups.ts'
import { removeSidecars, writeSidecar } from './sidecar.ts'

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
  const { log, storage } = context
  const { backup, sidecar } = await getLogged(context, id)
  if (changes.accepted !== undefined && !hasSnapshot(backup)) throw new NotCompleted(id, backup.status)
  const { pinned = backup.pinned, note = backup.note, accepted = backup.accepted } = changes
  const isChange = pinned !== backup.pinned || note !== backup.note || accepted !== backup.accepted
  let version = sidecar
  if (isChange && hasSnapshot(backup) && await storage.stat(backup.filename) !== null) {
    // First beside the file: what the log says is never less safe than what survives it
    const reserved = await log.reserveSidecar(id, sidecar)
    if (reserved === undefined) return undefined
    version = reserved
    await writeSidecar(context, backup.filename, version, { pinned, note, accepted })
  }
  const updated = await log.update(id, changes, version)
  if (updated === undefined) return undefined
  if (version !== null && version !== sidecar) await removeSidecars(context, backup.filename, version - 1).catch(() => {})
  return await describeBackup(context, updated)
}
