import type { Context } from './context.ts'
import { rescanStorage } from './rescan-storage.ts'

/**
 * A service whose log is empty when it starts has lost its database, perhaps. Then it takes in the snapshots that the storage holds before it makes any of
 * its own: as soon as the log has one, nobody can tell any more, and later snapshots would be compared with nothing.
 */
export interface Adoption {
  /** Resolves when nothing is to be adopted any more. After a failure the next call tries again. */
  settle: () => Promise<void>
}

export function createAdoption (context: Context, signal: AbortSignal): Adoption {
  const { log, logger } = context
  /** Found out once, since what is adopted fills the log. */
  let wasEmpty: boolean | undefined
  let working: Promise<void> | undefined

  async function adopt (): Promise<void> {
    wasEmpty ??= (await log.completed()).length === 0
    if (!wasEmpty) return
    const { adopted } = await rescanStorage(context, { signal })
    if (adopted.length > 0) logger.info({ adopted: adopted.length }, 'the log of backups was empty and the storage was not: its snapshots have been adopted')
  }

  return {
    async settle () {
      working ??= adopt()
      try {
        await working
      } catch (error) {
        working = undefined
        throw error
      }
    }
  }
}
