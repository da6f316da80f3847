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
    let last = ''
    while (isRequested && !signal.aborted) {
      // A request during this attempt causes another attempt
      isRequested = false
      try {
        await heal()
      } catch (error) {
        isRequested = true
        const reason = errorText(error)
        const level = keeperReports.some((code) => isOwnError(error, code)) ? 'debug' : 'warn'
        if (reason !== last) context.logger[level]({ reason }, 'interrupted runs could not be cleaned up yet; retrying')
        last = reason
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
