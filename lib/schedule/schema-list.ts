import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { describe } from './failure-notes.ts'

/** What is known of the schemas to back up. */
export interface KnownSchemas {
  /** The newest list; null before the first one. */
  names: string[] | null
  /** Why no newer list could be had, and since when; null when the last attempt gave one. */
  failure: { reason: string, since: Date } | null
}

/** What an attempt gave: a list, or a failure beside the list before it. */
type Answer = { names: string[], failure: null } | { names: string[] | null, failure: NonNullable<KnownSchemas['failure']> }

export interface SchemaList {
  /** Asks the owner's function; whoever asks while an answer is awaited gets the same one. Never rejects. */
  ask: () => Promise<Answer>
  /** Asks when the answer is older than a minute, and waits a second for it: a function that hangs is a failure as well. */
  known: () => Promise<KnownSchemas>
}

const freshMs = 60_000
const patienceMs = 1000

export function createSchemaList (schemas: () => Promise<string[]> | string[], clock: Clock): SchemaList {
  let known: KnownSchemas = { names: null, failure: null }
  let answeredAt = Number.NEGATIVE_INFINITY
  let askedAt = clock.now()
  let asking: Promise<Answer> | undefined

  async function look (): Promise<Answer> {
    askedAt = clock.now()
    const answer = await answerOf()
    known = answer
    answeredAt = clock.now().getTime()
    asking = undefined
    return answer
  }

  async function answerOf (): Promise<Answer> {
    try {
      return { names: [...new Set(await schemas())], failure: null }
    } catch (error) {
      return { names: known.names, failure: { reason: describe(error), since: known.failure?.since ?? askedAt } }
    }
  }

  const ask = async (): Promise<Answer> => await (asking ??= look())

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
