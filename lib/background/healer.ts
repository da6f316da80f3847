import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'

/** Milliseconds between two attempts. */
const retryMs = 5000

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
