import type { Clock } from '../clock.ts'

const longestPauseMs = 10 * 60_000

/** When a slot that is not served yet is tried again. */
export interface Retries {
  /** Gives the time of the next attempt. The pause grows only with failures: a busy schema may be free at any moment. */
  add: (schema: string, slot: number, outcome: 'busy' | 'retry') => number
  /** When the schema's next attempt at the slot is due, in milliseconds since the Unix epoch; 0 when nothing holds it up. */
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

/** Doubles with each failure, from `retryMs` to ten minutes. */
export function pauseAfter (failures: number, retryMs: number): number {
  return withJitter(Math.max(retryMs, Math.min(retryMs * 2 ** (failures - 1), longestPauseMs)))
}

/** Up to a quarter more, so that replicas that failed together do not come back together. */
const withJitter = (ms: number): number => Math.round(ms * (1 + Math.random() / 4))
