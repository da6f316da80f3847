import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { describe } from './failure-history.ts'

/** The schemas to back up, as far as they are known. */
export interface KnownSchemas {
  /** The newest list; null before the first one. */
  names: string[] | null
  /** Why there is no newer list, and since when; null when the last call returned one. */
  failure: { reason: string, since: Date } | null
}

/** The result of a call: a list, or a failure with the previous list. */
type Answer =
  | { names: string[], failure: null }
  | { names: string[] | null, failure: NonNullable<KnownSchemas['failure']> }

export interface SchemaList {
  /** Calls the application's function. Calls at the same time share one result. Never rejects. */
  ask: () => Promise<Answer>
  /**
   * Calls it when the result is older than a minute, and waits up to a second. A function that does not return is a
   * failure.
   */
  known: () => Promise<KnownSchemas>
}

const freshMs = 60_000
const timeoutMs = 1000

export function createSchemaList (schemas: () => Promise<string[]> | string[], clock: Clock): SchemaList {
  let known: KnownSchemas = { names: null, failure: null }
  let answeredAt = Number.NEGATIVE_INFINITY
  let askedAt = clock.now()
  let asking: Promise<Answer> | undefined

  async function request (): Promise<Answer> {
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

  const ask = async (): Promise<Answer> => await (asking ??= request())

  return {
    ask,
    async known () {
      const now = clock.now().getTime()
      if (Math.abs(now - answeredAt) < freshMs) return known
      const waits = new AbortController()
      await Promise.race([ask(), delay(timeoutMs, undefined, { signal: waits.signal }).catch(() => {})])
      waits.abort()
      const isHanging = asking !== undefined && now - askedAt.getTime() >= freshMs
      return isHanging ? { names: known.names, failure: { reason: 'no answer', since: askedAt } } : known
    }
  }
}
