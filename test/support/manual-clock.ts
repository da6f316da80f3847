import type { Clock } from '../../lib/clock.ts'

interface Waiting { until: number, resolve: () => void }

export interface ManualClock extends Clock {
  /** Lets time pass, and stops at every time that a wait() ends at. */
  advance: (ms: number) => Promise<void>
  /** Sets the clock without letting time pass, like a machine that wakes up. Then resolves all waits. */
  set: (iso: string) => Promise<void>
  /** The number of pending waits. */
  waiting: () => number
  /** The durations of all waits so far, in milliseconds. */
  waits: number[]
}

/** A clock that only the test moves. */
export function createManualClock (iso: string): ManualClock {
  let now = Date.parse(iso)
  const waiting = new Set<Waiting>()
  const waits: number[] = []

  /** For code without I/O: after a turn of the event loop, all promises have settled. */
  const settle = async (): Promise<void> => { await new Promise((resolve) => { setImmediate(resolve) }) }

  return {
    waits,
    waiting: () => waiting.size,
    now: () => new Date(now),
    wait: async (ms, signal) => {
      waits.push(ms)
      await new Promise<void>((resolve, reject) => {
        const entry = {
          until: now + ms,
          resolve () {
            waiting.delete(entry)
            signal.removeEventListener('abort', abort)
            resolve()
          }
        }
        const abort = (): void => {
          waiting.delete(entry)
          reject(signal.reason)
        }
        waiting.add(entry)
        signal.addEventListener('abort', abort, { once: true })
      })
    },
    async advance (ms) {
      const end = now + ms
      await settle()
      for (;;) {
        const [first] = [...waiting].toSorted((a, b) => a.until - b.until)
        if (first === undefined || first.until > end) break
        now = Math.max(now, first.until)
        first.resolve()
        await settle()
      }
      now = end
      await settle()
    },
    async set (iso) {
      await settle()
      now = Date.parse(iso)
      for (const entry of [...waiting]) entry.resolve()
      await settle()
    }
  }
}
