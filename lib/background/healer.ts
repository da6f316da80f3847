import type { Context } from '../runs/context.ts'
import { isOwnError } from '../own-error.ts'
import { errorText } from '../runs/public-error.ts'

/** Milliseconds after a failed attempt. */
const retryMs = 5000

/** The storage keeper, which starts at the same time, logs these as an error: one line for one cause. */
const keeperReports = [
  'DATABASE_UNAVAILABLE', 'DATABASE_INSECURE', 'LOG_UNUSABLE', 'STORAGE_TAKEN', 'STORAGE_MISSING'
] as const

/** Heals the log in the background on request, and retries until it succeeds. */
export interface Healer {
  request: () => void
  /** Resolves when the healing in progress has ended. */
  idle: () => Promise<void>
}

export function createHealer (
  context: Pick<Context, 'clock' | 'logger'>, signal: AbortSignal, heal: () => Promise<void>
): Healer {
  let isRequested = false
  let working: Promise<void> | undefined

  async function work (): Promise<void> {
    let isReported = false
    while (isRequested && !signal.aborted) {
      // A request during this attempt causes another attempt
      isRequested = false
      try {
        await heal()
      } catch (error) {
        isRequested = true
        if (!isReported) {
          const level = keeperReports.some((code) => isOwnError(error, code)) ? 'debug' : 'warn'
          context.logger[level]({ reason: errorText(error) }, 'could not clean up after interrupted runs yet; retrying')
        }
        isReported = true
        await context.clock.wait(retryMs, signal).catch(() => {})
      }
    }
    working = undefined
  }

  return {
    request () {
      isRequested = true
      working ??= work()
    },
    async idle () { await working }
  }
}
