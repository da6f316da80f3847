import { setTimeout as delay } from 'node:timers/promises'
import { Busy, NotCompleted, NotFound } from '../errors.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Backup, BackupChanges } from '../../types/index.ts'
import { checkArguments, checkId } from '../arguments/check-arguments.ts'
import { hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { describeBackup, getLogged } from '../callers/visible-backups.ts'
import { removeSidecar, removeSidecars, writeSidecar } from '../consistency/sidecar.ts'

const maxAttempts = 10
/** Before another attempt; a change takes a few milliseconds. */
const longestPauseMs = 50

/**
 * Stores a change in the log and in the sidecar of the file.
 * @throws FST_BACKUP_NOT_COMPLETED when the change accepts a backup that has no snapshot
 */
export async function updateBackup (context: Context, id: string, changes: BackupChanges): Promise<Backup> {
  checkId(id)
  checkArguments('update', changes)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const updated = await tryUpdate(context, id, changes)
    if (updated !== undefined) return updated
    // Otherwise calls that keep the same pace could prevent each other until all of them give up
    await delay(Math.random() * longestPauseMs)
  }
  throw new Busy(`Other calls are changing the backup ${id}`)
}

/** Undefined when another call has changed the backup at the same time. */
async function tryUpdate (context: Context, id: string, changes: BackupChanges): Promise<Backup | undefined> {
  const logged = await getLogged(context, id)
  if (changes.accepted !== undefined && !hasSnapshot(logged.backup)) throw new NotCompleted(id, logged.backup.status)
  const version = await needsSidecar(context, logged, changes)
    ? await writeNextSidecar(context, id, changes)
    : logged.sidecar
  const updated = await context.log.update(id, changes, version)
  if (version !== null && version !== logged.sidecar) {
    const { filename } = logged.backup
    // After a failed update the new sidecar is obsolete; if the backup was removed meanwhile, nothing else removes it
    const clear = updated === undefined
      ? removeSidecar(context, filename, version)
      : removeSidecars(context, filename, version - 1)
    await clear.catch(() => {})
  }
  if (updated === undefined) return undefined
  logChanges(context, logged, updated)
  return await describeBackup(context, updated)
}

/** The text of a note is not logged. */
function logChanges (
  { logger }: Context, { backup: before }: LoggedBackup, { backup: { id, schema, trigger, ...after } }: LoggedBackup
): void {
  const changes = {
    ...before.pinned !== after.pinned && { pinned: after.pinned },
    ...before.accepted !== after.accepted && { accepted: after.accepted },
    ...before.note !== after.note && { hasNote: after.note !== null }
  }
  if (Object.keys(changes).length > 0) logger.info({ id, schema, trigger, ...changes }, 'a backup was changed')
}

async function needsSidecar ({ storage }: Context, { backup }: LoggedBackup, changes: BackupChanges): Promise<boolean> {
  const { pinned = backup.pinned, note = backup.note, accepted = backup.accepted } = changes
  const isChange = pinned !== backup.pinned || note !== backup.note || accepted !== backup.accepted
  return isChange && hasSnapshot(backup) && await storage.stat(backup.filename) !== null
}

/**
 * Writes the sidecar before the log is updated: if the log is lost afterwards, a snapshot that was pinned is adopted as
 * pinned. Returns the version of the sidecar.
 */
async function writeNextSidecar (context: Context, id: string, changes: BackupChanges): Promise<number> {
  const reserved = await context.log.reserveSidecar(id)
  if (reserved === undefined) throw new NotFound(id)
  const { backup: { filename, ...before }, sidecar: version } = reserved
  const { pinned = before.pinned, note = before.note, accepted = before.accepted } = changes
  await writeSidecar(context, filename, version, { pinned, note, accepted })
  return version
}
