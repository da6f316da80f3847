import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { describe } from './failure-notes.ts'

/** What is known of the schemas to back up. */
export interface KnownSchemas {
  /** The newest list; null before the first one. */
  names: string[] | null
  /** Why no newer list could be had, and since when; null when the last attempt gave one. */
  failure: { reason: string, since: Date } | null
}

export interface SchemaList {
  /** Asks the owner's function; whoever asks while an answer is awaited gets the same one. Never rejects. */
  ask: () => Promise<KnownSchemas>
  /** Asks when the answer is older than a minute, and waits a second for it: a function that hangs is a failure as well. */
  known: () => Promise<KnownSchemas>
}

const freshMs = 60_000
const patienceMs = 1000

export function createSchemaList (schemas: () => Promise<string[]> | string[], clock: Clock): SchemaList {
  let known: KnownSchemas = { names: null, failure: null }
  let answeredAt = Number.NEGATIVE_INFINITY
  let askedAt = clock.now()
  let asking: Promise<void> | undefined

  async function look (): Promise<void> {
    askedAt = clock.now()
    try {
      known = { names: [...new Set(await schemas())], failure: null }
    } catch (error) {
      known = { names: known.names, failure: { reason: describe(error), since: known.failure?.since ?? askedAt } }
    }
    answeredAt = clock.now().getTime()
    asking = undefined
  }

  async function ask (): Promise<KnownSchemas> {
    await (asking ??= look())
    return known
  }

  return {
    ask,
    async known () {
      const now = clock.now().getTime()
      if (Math.abs(now - answeredAt) < freshMs) return known
      const waits = new AbortController()
      await Promise.race([ask(), delay(patienceMs, undefined, { signal: waits.signal }).catch(() => {})])
      waits.abort()
      const isHanging = asking !== undefined && now - askedAt.getTime() >= freshMs
      return isHanging ? { names: known.names, failure: { reason: 'no answer', since: askedAt } } : known
    }
  }
}
