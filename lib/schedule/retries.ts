import type { Clock } from '../clock.ts'

const longestPauseMs = 10 * 60_000

/** When to retry a slot. */
export interface Retries {
  /**
   * Returns the time of the next attempt. Only failures make the pause longer: a busy schema can become free at any
   * time.
   */
  add: (schema: string, slot: number, outcome: 'busy' | 'retry') => number
  /** When the next attempt is due, in milliseconds since the Unix epoch; 0 for a slot without an earlier attempt. */
  dueAt: (schema: string, slot: number) => number
  forget: (schema: string) => void
}

export function createRetries (clock: Clock, retryMs: number): Retries {
  const entries = new Map<string, { slot: number, failures: number, at: number }>()
  return {
    add (schema, slot, outcome) {
      const before = entries.get(schema)
      const failures = (before?.slot === slot ? before.failures : 0) + (outcome === 'retry' ? 1 : 0)
      const at = clock.now().getTime() + (outcome === 'retry' ? pauseAfter(failures, retryMs) : withJitter(retryMs))
      entries.set(schema, { slot, failures, at })
      return at
    },
    dueAt (schema, slot) {
      const entry = entries.get(schema)
      return entry?.slot === slot ? entry.at : 0
    },
    forget: (schema) => { entries.delete(schema) }
  }
}

/** Milliseconds. Doubles with each failure, from `retryMs` to ten minutes. */
export function pauseAfter (failures: number, retryMs: number): number {
  return withJitter(Math.max(retryMs, Math.min(retryMs * 2 ** (failures - 1), longestPauseMs)))
}

/** Adds up to a quarter, so that replicas that failed at the same time do not retry at the same time. */
const withJitter = (ms: number): number => Math.round(ms * (1 + Math.random() / 4))
