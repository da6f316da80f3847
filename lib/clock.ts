import { setTimeout } from 'node:timers/promises'

/** Time, as the scheduler sees it; tests put their own in its place. */
export interface Clock {
  now: () => Date
  /** Resolves after `ms` milliseconds or earlier, so look at now() again. Rejects as soon as `signal` aborts, and leaves nothing behind. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/**
 * Far below 2^31 ms, above which a timer fires at once. And since timers stand still while the machine sleeps, and know nothing of a
 * clock that was set, this is also how late either is noticed.
 */
const longestWaitMs = 60_000

/** The machine's clock. Its timers don't keep the process alive. */
export const systemClock: Clock = {
  now: () => new Date(),
  async wait (ms, signal) {
    await setTimeout(Math.min(ms, longestWaitMs), undefined, { ref: false, signal })
  }
}

/**
 * Waits `ms` milliseconds by this clock, and no longer when the clock is set back meanwhile. Resolves early when `signal`
 * aborts.
 */
export async function pause ({ now, wait }: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const begin = now().getTime()
  for (;;) {
    const passed = now().getTime() - begin
    if (signal.aborted || passed < 0 || passed >= ms) return
    await wait(ms - passed, signal).catch(() => {})
  }
}
