import { pause } from '../clock.ts'
import { compareStorage } from '../consistency/compare-storage.ts'
import { createStorageClaim } from '../consistency/storage-claim.ts'
import { renewalMs } from '../consistency/storage-ownership.ts'
import { isOwnError } from '../own-error.ts'
import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'

/** Longest pause before another attempt, in milliseconds; half of it is random, so that two services do not collide again. */
const retryMs = 2000
/** The same for a storage that somebody has to mount again. */
const missingMs = 10_000

/** Claims the storage for the log of this service, and adopts what a lost log has left in it. */
export interface StorageKeeper {
  /** Returns at once; continues until the signal aborts, whatever fails. */
  start: () => void
  /** Releases the storage; resolves when everything has ended. */
  stop: () => Promise<void>
}

export function createStorageKeeper (context: Context, signal: AbortSignal): StorageKeeper {
  const { clock, logger } = context
  const claim = createStorageClaim(context)
  const report = createFailureReport(context, signal)
  let working: Promise<void> | undefined
  let adopting: Promise<void> | undefined
  let adopted = false

  async function work (): Promise<void> {
    while (!signal.aborted) {
      let pauseMs = renewalMs
      try {
        await claim.renew()
        if (!adopted) adopting ??= adopt()
        report.clear()
      } catch (error) {
        report.add(error, 'this service could not claim the storage of backups; while it belongs to another service, ' +
          'nothing is scheduled, pruned or adopted; retrying')
        pauseMs = (isOwnError(error, 'STORAGE_MISSING') ? missingMs : retryMs) * (1 + Math.random()) / 2
      }
      await pause(clock, pauseMs, signal)
    }
  }

  async function adopt (): Promise<void> {
    try {
      await context.adoptLost()
      const { unknown } = await compareStorage(context)
      if (unknown.length > 0) {
        logger.warn({ files: unknown.length },
          'files in the storage of backups have no row in the log; rescan() adopts those that are snapshots')
      }
      adopted = true
    } catch (error) {
      report.add(error, 'the snapshots in the storage could not be adopted yet; retrying')
    } finally {
      adopting = undefined
    }
  }

  return {
    start () {
      working ??= work()
    },
    async stop () {
      await working
      await adopting
      await claim.release()
    }
  }
}

interface FailureReport {
  /** Logs the failure, once for each reason in a row. */
  add: (error: unknown, message: string) => void
  clear: () => void
}

function createFailureReport ({ logger }: Pick<Context, 'logger'>, signal: AbortSignal): FailureReport {
  let last = ''
  return {
    add (error, message) {
      const reason = errorText(error)
      if (reason !== last && !signal.aborted) logger.error({ reason }, message)
      last = reason
    },
    clear () { last = '' }
  }
}
