import type { Context } from '../runs/context.ts'
import { adoptFiles } from './adopt-files.ts'

/**
 * A service whose log is empty at its start may have lost its database. It adopts the snapshots that the storage holds
 * before it makes any of its own: once the log has a snapshot, the loss can no longer be seen, and later snapshots would
 * be compared with nothing.
 */
export interface Adoption {
  /** Resolves when nothing is left to adopt. After a failure the next call tries again. */
  settle: () => Promise<void>
}

export function createAdoption (context: Context, signal: AbortSignal): Adoption {
  const { log, logger } = context
  /** Determined once, since what is adopted fills the log. */
  let wasEmpty: boolean | undefined
  let working: Promise<void> | undefined

  async function adopt (): Promise<void> {
    wasEmpty ??= (await log.completed()).length === 0
    if (!wasEmpty) return
    const { adopted } = await adoptFiles(context, { signal })
    if (adopted.length > 0) {
      logger.info({ adopted: adopted.length }, 'the backup log was empty; the snapshots in the storage have been adopted')
    }
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
