import type { Clock } from '../clock.ts'
import type { Cadence } from './cadence.ts'
import type { FailureHistory } from './failure-history.ts'
import { createRetries, pauseAfter } from './retries.ts'
import type { SchemaList } from './schema-list.ts'

/** Logs a failure, unless the schedule has been stopped. */
export type Report = (level: 'error' | 'warn' | 'debug', details: object, message: string) => void

/** The schemas to back up next, and the time to fill the queue again. */
export interface SchemaQueue {
  /** Milliseconds until fill() is due; 0 or less when it is. */
  untilDue: (now: Date) => number
  /** Removes and returns the next schema. Until release(), it is not added again. Undefined when the queue is empty. */
  take: () => string | undefined
  /**
   * Asks for the schemas and adds all except those whose retry is not due yet. Calls at the same time share one result.
   */
  fill: () => Promise<void>
  retryLater: (schema: string, slot: number, outcome: 'busy' | 'retry') => void
  forgetRetries: (schema: string) => void
  /** Ends the work on the schema at `slot`. */
  release: (schema: string, slot: number) => void
}

interface SchemaQueueOptions {
  cadence: Cadence
  clock: Clock
  retryMs: number
  list: SchemaList
  history: FailureHistory
  report: Report
}

export function createSchemaQueue (options: SchemaQueueOptions): SchemaQueue {
  const { cadence, clock, retryMs } = options
  const retries = createRetries(clock, retryMs)
  const queue: string[] = []
  const taken = new Set<string>()
  let dueAt = 0
  let filling: Promise<void> | undefined
  const newestSlot = (): number => cadence.previous(clock.now()).getTime()
  const dueBy = (ms: number): void => { dueAt = Math.min(dueAt, ms) }

  /** Does not check whether the slot of a schema is done: a new slot may begin before the schema is taken. */
  async function fill (): Promise<void> {
    dueAt = cadence.next(clock.now()).getTime()
    const names = await askForNames(options)
    const now = clock.now().getTime()
    if (names === null) return dueBy(now + pauseAfter(1, retryMs))
    const slot = newestSlot()
    for (const schema of names) {
      const at = retries.dueAt(schema, slot)
      if (at > now) dueBy(at)
      else if (!taken.has(schema)) queue.push(schema)
    }
  }

  return {
    untilDue (now) {
      // The next slot is due before a late retry. When the clock is set back, slots repeat; the log knows which ones
      // are claimed
      dueBy(cadence.next(now).getTime())
      return dueAt - now.getTime()
    },
    take () {
      const schema = queue.shift()
      if (schema !== undefined) taken.add(schema)
      return schema
    },
    fill: async () => { await (filling ??= fill().finally(() => { filling = undefined })) },
    retryLater: (schema, slot, outcome) => { dueBy(retries.add(schema, slot, outcome)) },
    forgetRetries: retries.forget,
    release (schema, slot) {
      taken.delete(schema)
      // A slot that began in the meantime is the next one of this schema
      if (newestSlot() !== slot) dueAt = 0
    }
  }
}

/** Returns the schemas to back up; null when they are not known. */
async function askForNames ({ list, history, report }: SchemaQueueOptions): Promise<string[] | null> {
  const { names, failure } = await list.ask()
  if (failure === null) {
    history.recordSuccess('')
    return names
  }
  const { reason } = failure
  report(history.recordFailure('', 0, reason), { reason }, 'the schemas to back up are not known; retrying')
  return null
}
