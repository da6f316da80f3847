import type { Context } from '../runs/context.ts'
import { adoptFiles, createAdoptionLog } from './adopt-files.ts'

/**
 * A service whose log is empty at its start may have lost its database. Before it makes its first backup, it adopts the
 * snapshots in the storage: once the log contains a snapshot, the loss can no longer be detected, and the guard would
 * compare later snapshots with nothing.
 */
export interface Adoption {
  /** Resolves when nothing is left to adopt. After an error, the next call retries. */
  finish: () => Promise<void>
}

export function createAdoption (context: Context, signal: AbortSignal): Adoption {
  const { log } = context
  const runLog = createAdoptionLog(context, { cause: 'the backup log was empty' })
  /** Determined once, since adopted snapshots fill the log. */
  let wasEmpty: boolean | undefined
  let working: Promise<void> | undefined

  async function adopt (): Promise<void> {
    wasEmpty ??= (await log.completed()).length === 0
    if (!wasEmpty) return
    await adoptFiles(context, runLog, { signal })
  }

  return {
    async finish () {
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
