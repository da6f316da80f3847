import type { Cadence } from './cadence.ts'
import { systemClock, type Clock } from '../clock.ts'
import { createFailureNotes, describe } from './failure-notes.ts'
import { createRetries, pauseAfter } from './retries.ts'
import { createSchemaList, type KnownSchemas } from './schema-list.ts'

/**
 * What became of a slot: `done` here, `taken` by another replica, or to be tried again, because the schema was `busy` or
 * something was in the way that may pass (`retry`).
 */
export type SlotOutcome = 'done' | 'taken' | 'busy' | 'retry'

type Log = (details: object, message: string) => void

export interface SchedulerOptions {
  cadence: Cadence
  /** Asked at each slot, at each retry, and when knownSchemas() wants a newer answer. */
  schemas: () => Promise<string[]> | string[]
  /** Claims the slot and makes the backup. Ends soon after `signal` aborts. */
  run: (schema: string, slot: Date, signal: AbortSignal) => Promise<SlotOutcome>
  /** The newest slot until `slot` that any replica ever claimed for the schema; null before the first one. */
  lastSlot: (schema: string, slot: Date) => Promise<Date | null>
  /** Schemas served at the same time. */
  concurrency: number
  logger: { debug: Log, info: Log, warn: Log, error: Log }
  /** @defaultValue the machine's */
  clock?: Clock
  /**
   * Pause before a retry, in milliseconds; up to a quarter is added at random. It doubles with each failure of the same slot, up to ten
   * minutes; a schema that is busy is looked at again after the first pause. @defaultValue 15000
   */
  retryMs?: number
}

export interface Scheduler {
  cadence: Cadence
  /** Returns at once. Does nothing the second time, and after stop(). */
  start: () => void
  /** Aborts the runs in hand and resolves when they have ended; nothing is started from here on. */
  stop: () => Promise<void>
  /** The next slot, or null before start() and after stop(). */
  nextRunAt: () => Date | null
  /** When start() was called; null before it. */
  startedAt: () => Date | null
  /** Asks for the schemas when the list is older than a minute, and waits a second for the answer. */
  knownSchemas: () => Promise<KnownSchemas>
}

/**
 * Runs each schema once a slot, `concurrency` of them at a time.
 *
 * Only the newest slot counts: one that was missed while the service was down, while the machine slept or while a run took its time
 * gives way to the next. A schema that is not served yet is tried again until the next slot comes; the others go on. Nothing rejects:
 * what fails is logged and tried again.
 */
export function createScheduler ({ cadence, schemas, run, lastSlot, concurrency, logger, clock = systemClock, retryMs = 15_000 }: SchedulerOptions): Scheduler {
  const controller = new AbortController()
  const { signal } = controller
  const list = createSchemaList(schemas, clock)
  const retries = createRetries(clock, retryMs)
  const notes = createFailureNotes()
  /** By schema, the slot that needs no run any more. */
  const served = new Map<string, number>()
  /** By schema, the slot that was tried and is not served. */
  const tried = new Map<string, number>()
  /** What is to be served before the schemas are asked for again. */
  const queue: string[] = []
  /** When they are. */
  let dueAt = 0
  let asking: Promise<void> | undefined
  let working: Promise<unknown> | undefined
  const inHand = new Set<string>()
  const running = new Set<Promise<unknown>>()
  let startedAt: Date | null = null

  const newestSlot = (): number => cadence.previous(clock.now()).getTime()

  /** Serves one schema at a time; a run that hangs holds up no other lane. */
  async function workInLane (began: number): Promise<never> {
    for (;;) {
      signal.throwIfAborted()
      const now = clock.now()
      // The next slot comes before a late retry. And when the clock was set back, its slots come again; the log knows which are taken
      dueAt = Math.min(dueAt, cadence.next(now).getTime())
      const schema = queue.shift()
      if (schema !== undefined) await serve(schema, began)
      else if (now.getTime() < dueAt) await clock.wait(dueAt - now.getTime(), signal)
      else await (asking ??= fillQueue().finally(() => { asking = undefined }))
    }
  }

  /** All schemas but those whose retry comes later. Which of them are served is seen when their turn comes: a slot may come before it. */
  async function fillQueue (): Promise<void> {
    dueAt = cadence.next(clock.now()).getTime()
    const { names, failure } = await list.ask()
    const now = clock.now().getTime()
    if (failure !== null) {
      dueAt = Math.min(dueAt, now + pauseAfter(1, retryMs))
      const { reason } = failure
      return report(notes.note('', 0, reason), { reason }, 'the schemas to back up are not known; trying again')
    }
    notes.forget('')
    const slot = newestSlot()
    for (const schema of names) {
      const at = retries.dueAt(schema, slot)
      if (at > now) dueAt = Math.min(dueAt, at)
      else if (!inHand.has(schema)) queue.push(schema)
    }
  }

  async function serve (schema: string, began: number): Promise<void> {
    const slot = newestSlot()
    inHand.add(schema)
    try {
      if (!await isOpen(schema, slot, began)) return
      signal.throwIfAborted()
      noteTry(schema, slot)
      const outcome = await track(run(schema, new Date(slot), signal))
      if (outcome === 'busy' || outcome === 'retry') return tryLater(schema, slot, outcome)
      tried.delete(schema)
      retries.forget(schema)
      notes.forget(schema)
      served.set(schema, slot)
    } catch (error) {
      const reason = describe(error)
      report(notes.note(schema, slot, reason), { schema, slot: new Date(slot), reason }, 'a scheduled backup did not succeed; trying again')
      tryLater(schema, slot, 'retry')
    } finally {
      inHand.delete(schema)
      // A slot that came in the meantime is this schema's next one
      if (newestSlot() !== slot) dueAt = 0
    }
  }

  function tryLater (schema: string, slot: number, outcome: 'busy' | 'retry'): void {
    dueAt = Math.min(dueAt, retries.add(schema, slot, outcome))
  }

  async function track<T> (work: Promise<T>): Promise<T> {
    running.add(work)
    return await work.finally(() => { running.delete(work) })
  }

  /** The log is asked only about the slot that was the newest at the start; all later ones come while the service is up. */
  async function isOpen (schema: string, slot: number, began: number): Promise<boolean> {
    if (slot === began && !served.has(schema)) {
      const last = await lastSlot(schema, new Date(slot))
      if (last === null || last.getTime() >= began) {
        // Without any this is the very first start, and a slot from before it is nothing that was missed
        served.set(schema, began)
      } else {
        served.set(schema, last.getTime())
        logger.info({ schema, slot: new Date(slot) }, 'a slot passed while the service was down; making its backup now')
      }
    }
    return served.get(schema) !== slot
  }

  function noteTry (schema: string, slot: number): void {
    const before = tried.get(schema)
    if (before !== undefined && before !== slot) {
      logger.warn({ schema, slot: new Date(before) }, 'a slot stays without a backup, because the next one has come')
    }
    tried.set(schema, slot)
  }

  function report (level: 'error' | 'warn' | 'debug', details: object, message: string): void {
    if (!signal.aborted) logger[level](details, message)
  }

  /** A lane that ends takes the others along: half a schedule must not look like one. */
  function startLanes (): Array<Promise<never>> {
    const began = newestSlot()
    return Array.from({ length: concurrency }, async () => await workInLane(began))
  }

  return {
    cadence,
    start () {
      startedAt ??= clock.now()
      working ??= Promise.all(startLanes()).catch((error: unknown) => {
        report('error', { reason: describe(error) }, 'the schedule has ended')
        controller.abort()
      })
    },
    async stop () {
      controller.abort()
      // Only these: what asks the database for names may hang for longer than a service may take to close
      await Promise.allSettled(running)
    },
    nextRunAt: () => working === undefined || signal.aborted ? null : cadence.next(clock.now()),
    startedAt: () => startedAt,
    knownSchemas: list.known
  }
}
