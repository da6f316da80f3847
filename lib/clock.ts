import { setTimeout } from 'node:timers/promises'

/** Tells the time. Tests inject their own. */
export interface Clock {
  now: () => Date
  /**
   * Resolves after `ms` milliseconds or earlier, so check now() again. Rejects as soon as `signal` aborts, and leaves
   * no timer or listener.
   */
  wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Milliseconds. A longer timer fires at once (Node.js documentation, setTimeout). */
export const longestTimerMs = 2 ** 31 - 1

/**
 * Milliseconds. Timers stop while the machine sleeps and do not notice that the system clock was set, so this is the
 * maximum delay until either is detected.
 */
const longestWaitMs = 60_000

/** The system clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => new Date(),
  async wait (ms, signal) {
    await setTimeout(Math.min(ms, longestWaitMs), undefined, { ref: false, signal })
  }
}

/** Waits `ms` milliseconds by this clock. Resolves early when the clock is set back or `signal` aborts. */
export async function pause ({ now, wait }: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const begin = now().getTime()
  for (;;) {
    const passed = now().getTime() - begin
    if (signal.aborted || passed < 0 || passed >= ms) return
    await wait(ms - passed, signal).catch((error: unknown) => { if (!signal.aborted) throw error })
  }
}
