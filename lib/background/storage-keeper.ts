import { pause } from '../clock.ts'
import { compareStorage } from '../consistency/compare-storage.ts'
import { createStorageClaim } from '../consistency/storage-claim.ts'
import { renewalMs } from '../consistency/storage-ownership.ts'
import { isOwnError, isStorageError } from '../own-error.ts'
import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'

/**
 * The longest pause before a retry, in milliseconds. The pause is at least half of it and otherwise random, so that two
 * services that collided do not collide again.
 */
const retryMs = 2000
/** The same while the storage is missing, since an administrator has to mount it. */
const missingMs = 10_000

/** File names in one log line. */
const namesAtMost = 10

/** Claims the storage for the log of this service, and adopts the snapshots in it if the log was lost. */
export interface StorageKeeper {
  /** Returns at once. Retries after every error, until the signal aborts. */
  start: () => void
  /** Releases the storage; resolves when everything has ended. */
  stop: () => Promise<void>
}

export function createStorageKeeper (context: Context, signal: AbortSignal): StorageKeeper {
  const claim = createStorageClaim(context)
  const report = createFailureReport(context, signal)
  const adoption = createBackgroundAdoption(context, report)
  let working: Promise<void> | undefined

  async function work (): Promise<void> {
    while (!signal.aborted) {
      let pauseMs = renewalMs
      try {
        await claim.renew()
        adoption.start()
        report.clear()
      } catch (error) {
        report.add(error, `${describeFailure(error)}; until then nothing is scheduled, pruned or adopted; retrying`)
        pauseMs = (isOwnError(error, 'STORAGE_MISSING') ? missingMs : retryMs) * (1 + Math.random()) / 2
      }
      await pause(context.clock, pauseMs, signal)
    }
  }

  return {
    start () {
      working ??= work()
    },
    async stop () {
      await working
      await adoption.idle()
      await claim.release()
    }
  }
}

/** The storage is not the problem when only the database, or the log in it, cannot be used. */
function describeFailure (error: unknown): string {
  if (isOwnError(error, 'STORAGE_TAKEN')) return 'could not claim the storage of backups from another service'
  if (isStorageError(error)) return 'could not claim the storage of backups'
  return isOwnError(error, 'LOG_UNUSABLE') ? 'the log of backups cannot be used' : 'the database is not available'
}

interface BackgroundAdoption {
  /** Returns at once. Does nothing while an adoption is in progress, or when one has succeeded. */
  start: () => void
  idle: () => Promise<void>
}

function createBackgroundAdoption (context: Context, report: FailureReport): BackgroundAdoption {
  let adopting: Promise<void> | undefined
  let isDone = false

  async function adopt (): Promise<void> {
    try {
      await context.adoptAfterLoss()
      const { unknown } = await compareStorage(context)
      if (unknown.length > 0) {
        context.logger.warn({ files: unknown.length, names: unknown.slice(0, namesAtMost) },
          'files in the storage of backups have no row in the log; rescan() adopts those that are snapshots')
      }
      isDone = true
    } catch (error) {
      report.add(error, 'the snapshots in the storage could not be adopted yet; retrying')
    } finally {
      adopting = undefined
    }
  }

  return {
    start () {
      if (!isDone) adopting ??= adopt()
    },
    async idle () { await adopting }
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
