import { readdir, rm } from 'node:fs/promises'
import { type Context, spoolPath } from './context.ts'
import { errorText } from './outcome.ts'

const interrupted = 'interrupted: the service ended, or lost the database, while it ran'
const spoolName = /^\.([0-9a-f-]{36})\.partial$/
const retryMs = 5000

/** Brings log and storage together again after a crash: dead runs become failed, removals that were begun are ended, spool files of dead runs go. */
export async function healLog (context: Context): Promise<void> {
  const { log, storage } = context
  for (const { backup } of await log.failDead(interrupted)) {
    await rm(spoolPath(context, backup.id), { force: true })
    await storage.remove(backup.filename)
  }
  for (const { backup } of await log.removing()) {
    await storage.remove(backup.filename)
    await log.deleteRow(backup.id)
  }
  await removeDeadSpools(context)
}

/** Those of runs that the log knows to have ended. Others may belong to a run of another service, or to one that begins just now. */
async function removeDeadSpools (context: Context): Promise<void> {
  const names = await readdir(context.options.storagePath).catch(() => [])
  const ids = names.flatMap((name) => spoolName.exec(name)?.[1] ?? [])
  if (ids.length === 0) return
  for (const id of await context.log.settled(ids)) await rm(spoolPath(context, id), { force: true })
}

/** Heals until it has succeeded once, in the background. */
export async function healUntilDone (context: Context, signal: AbortSignal): Promise<void> {
  for (let told = false; !signal.aborted;) {
    try {
      await healLog(context)
      return
    } catch (error) {
      if (!told) context.logger.warn({ reason: errorText(error) }, 'the backup log can not be read yet; trying on')
      told = true
      await context.clock.wait(retryMs, signal).catch(() => {})
    }
  }
}
