import { readdir, rm, stat } from 'node:fs/promises'
import { type Context, spoolPath } from '../runs/context.ts'
import { removeEach } from './remove-files.ts'
import { requireOwnStorage } from './storage-ownership.ts'

const interrupted = 'interrupted: the service ended, or lost the database, while it ran'
const spoolName = /^\.([0-9a-f-]{36})\.partial$/
/** A day, in milliseconds. */
const forgottenMs = 24 * 60 * 60_000

/**
 * Brings log and storage together again after a crash: dead runs become failed and give their slots back, their files go, removals that
 * were begun are ended. Harmless at any time and in several replicas at once.
 */
export async function healLog (context: Context): Promise<void> {
  const { log } = context
  await failDeadRuns(context)
  await requireOwnStorage(context)
  await context.presence.require()
  await removeEach(context, await log.strays(), async ({ backup }) => { await log.forgetFile(backup.id) })
  await removeEach(context, await log.removing(), async ({ backup }) => { await log.deleteRow(backup.id) })
  await removeDeadSpools(context)
}

export async function failDeadRuns ({ log }: Context): Promise<void> {
  await log.failDead(interrupted)
}

/** Those of runs that the log knows to have ended. Others may belong to a run of another service, or to one that begins just now. */
async function removeDeadSpools (context: Context): Promise<void> {
  const names = await readdir(context.options.storagePath).catch(() => [])
  const ids = names.flatMap((name) => spoolName.exec(name)?.[1] ?? [])
  if (ids.length === 0) return
  for (const id of await context.log.settled(ids)) await rm(spoolPath(context, id), { force: true })
  for (const id of ids) await removeForgotten(spoolPath(context, id))
}

/** An import gets its row when all has arrived, so one whose process was killed before has none. Whoever is at work on a file writes to it now and then. */
async function removeForgotten (path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats !== undefined && stats.mtimeMs < Date.now() - forgottenMs) await rm(path, { force: true })
}
