import { readdir, rm, stat } from 'node:fs/promises'
import { type Context, spoolPath } from './context.ts'
import { errorText } from './outcome.ts'
import { removeEach } from './remove-files.ts'
import { requireOwnStorage } from './storage-owner.ts'

const interrupted = 'interrupted: the service ended, or lost the database, while it ran'
const spoolName = /^\.([0-9a-f-]{36})\.partial$/
const retryMs = 5000
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

/** Heals in the background when asked, and goes on until it has succeeded. */
export interface Healer {
  request: () => void
  /** Resolves when nothing is being healed any more. */
  idle: () => Promise<void>
}

export function createHealer (context: Pick<Context, 'clock' | 'logger'>, signal: AbortSignal, heal: () => Promise<void>): Healer {
  let wanted = false
  let working: Promise<void> | undefined

  async function work (): Promise<void> {
    let told = false
    while (wanted && !signal.aborted) {
      // What is asked for while this one is under way takes another
      wanted = false
      try {
        await heal()
      } catch (error) {
        wanted = true
        if (!told) context.logger.warn({ reason: errorText(error) }, 'the log of backups could not be healed yet; trying on')
        told = true
        await context.clock.wait(retryMs, signal).catch(() => {})
      }
    }
    working = undefined
  }

  return {
    request () {
      wanted = true
      working ??= work()
    },
    async idle () { await working }
  }
}
