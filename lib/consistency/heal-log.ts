import { readdir, rm, stat } from 'node:fs/promises'
import { type Context, spoolPath } from '../runs/context.ts'
import { removeEach } from './remove-files.ts'
import { requireOwnStorage } from './storage-ownership.ts'

const interrupted = {
  code: 'FST_BACKUP_ABORTED', message: 'interrupted: the service ended, or lost the database, during the run'
}
const spoolName = /^\.([0-9a-f-]{36})\.partial$/
/** A day, in milliseconds. */
const unusedMs = 24 * 60 * 60_000

/**
 * Makes log and storage consistent after a crash: marks dead runs as failed, which releases their slots, removes their
 * files, and completes interrupted removals. Safe at any time, and in several replicas at the same time.
 */
export async function healLog (context: Context): Promise<void> {
  const { log } = context
  // At the same time as the log is read. Dead runs are marked as failed whatever the storage is
  const usable = requireUsableStorage(context)
  usable.catch(() => {})
  const { running, failed, removing } = await log.unfinished()
  if (running) await failDeadRuns(context)
  await usable
  if (running || failed) {
    await removeEach(context, await log.failedWithFile(), async ({ backup }) => { await log.markFileAbsent(backup.id) })
  }
  if (removing) {
    await removeEach(context, await log.removing(), async ({ backup }) => {
      await log.deleteRow(backup.schema, backup.id)
    })
  }
  await removeDeadSpools(context)
}

async function requireUsableStorage (context: Context): Promise<void> {
  await requireOwnStorage(context)
  await context.presence.require()
}

export async function failDeadRuns ({ log }: Context): Promise<void> {
  await log.failDead(interrupted)
}

/**
 * Removes the spool files of runs that have ended according to the log. Other spool files may belong to a run of
 * another service, or to a run that is just beginning.
 */
async function removeDeadSpools (context: Context): Promise<void> {
  const names = await readdir(context.options.storagePath).catch(() => [])
  const ids = names.flatMap((name) => spoolName.exec(name)?.[1] ?? [])
  if (ids.length === 0) return
  for (const id of await context.log.ended(ids)) await rm(spoolPath(context, id), { force: true })
  for (const id of ids) await removeUnused(spoolPath(context, id))
}

/**
 * An import gets its row when the file has arrived completely, so an import whose process ended earlier has no row.
 * A run in progress writes to its spool file more often than once a day.
 */
async function removeUnused (path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats !== undefined && stats.mtimeMs < Date.now() - unusedMs) await rm(path, { force: true })
}
