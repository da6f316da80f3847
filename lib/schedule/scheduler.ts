import type { Cadence } from './cadence.ts'
import { systemClock, type Clock } from './clock.ts'

/**
 * What became of a slot: `done` here, `taken` by another replica, or to be tried again, because the schema was `busy` or
 * something was in the way that may pass (`retry`).
 */
export type SlotOutcome = 'done' | 'taken' | 'busy' | 'retry'

type Log = (details: object, message: string) => void

export interface SchedulerOptions {
  cadence: Cadence
  /** Asked at each slot and at each retry. */
  schemas: () => Promise<string[]> | string[]
  /** Claims the slot and makes the backup. Ends soon after `signal` aborts. */
  run: (schema: string, slot: Date, signal: AbortSignal) => Promise<SlotOutcome>
  /** The newest slot until `slot` that any replica ever claimed for the schema; null before the first one. */
  lastSlot: (schema: string, slot: Date) => Promise<Date | null>
  logger: { info: Log, warn: Log, error: Log }
  /** @defaultValue the machine's */
  clock?: Clock
  /** Pause before a retry, in milliseconds; up to a quarter is added at random. @defaultValue 15000 */
  retryMs?: number
}

export interface Scheduler {
  /** Returns at once. Does nothing the second time, and after stop(). */
  start: () => void
  /** Aborts the run in hand and resolves when it has ended; nothing is started from here on. */
  stop: () => Promise<void>
  /** The next slot, or null before start() and after stop(). */
  nextRunAt: () => Date | null
}

/**
 * Runs each schema once a slot, one after another.
 *
 * Only the newest slot counts: one that was missed while the service was down, while the machine slept or while a run took its time
 * gives way to the next. A schema that is not served yet is tried again until the next slot comes; the others go on. Nothing rejects:
 * what fails is logged and tried again.
 */
export function createScheduler ({ cadence, schemas, run, lastSlot, logger, clock = systemClock, retryMs = 15_000 }: SchedulerOptions): Scheduler {
  const controller = new AbortController()
  const { signal } = controller
  /** By schema, the slot that needs no run any more. */
  const served = new Map<string, number>()
  /** By schema, the slot that was tried and is not served. */
  const tried = new Map<string, number>()
  let working: Promise<void> | undefined
  let inHand: Promise<unknown> | undefined

  async function work (): Promise<void> {
    const began = newestSlot()
    let dueAt = began
    for (;;) {
      signal.throwIfAborted()
      const now = clock.now()
      const nextSlot = cadence.next(now).getTime()
      // The next slot comes before a late retry. And when the clock was set back, its slots come again; the log knows which are taken
      dueAt = Math.min(dueAt, nextSlot)
      if (now.getTime() < dueAt) {
        await clock.wait(dueAt - now.getTime(), signal)
      } else {
        const isSettled = await serveAll(began)
        dueAt = isSettled ? nextSlot : clock.now().getTime() + Math.round(retryMs * (1 + Math.random() / 4))
      }
    }
  }

  const newestSlot = (): number => cadence.previous(clock.now()).getTime()

  /** Tells whether every schema has got its newest slot. */
  async function serveAll (began: number): Promise<boolean> {
    let isSettled = true
    try {
      for (const schema of new Set(await schemas())) {
        signal.throwIfAborted()
        if (!await serve(schema, began)) isSettled = false
      }
      return isSettled
    } catch (error) {
      report(error, {}, 'the schemas to back up are not known; trying again')
      return false
    }
  }

  async function serve (schema: string, began: number): Promise<boolean> {
    const slot = newestSlot()
    try {
      if (!await isOpen(schema, slot, began)) return true
      signal.throwIfAborted()
      noteTry(schema, slot)
      const running = run(schema, new Date(slot), signal)
      inHand = running
      const outcome = await running
      if (outcome === 'busy' || outcome === 'retry') return false
      tried.delete(schema)
      served.set(schema, slot)
      return true
    } catch (error) {
      report(error, { schema, slot: new Date(slot) }, 'a scheduled backup did not succeed; trying again')
      return false
    }
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

  function report (error: unknown, details: object, message: string): void {
    if (!signal.aborted) logger.error({ ...details, reason: describe(error) }, message)
  }

  return {
    start () {
      working ??= work().catch((error: unknown) => { report(error, {}, 'the schedule has ended') })
    },
    async stop () {
      controller.abort()
      // Only this one: what asks the database for names may hang for longer than a service may take to close
      await Promise.allSettled([inHand])
    },
    nextRunAt: () => working === undefined || signal.aborted ? null : cadence.next(clock.now())
  }
}

/** What of an error may be logged: a message of our own, but no other, since a database's may hold row data. */
function describe (error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = String((error as { code?: unknown }).code ?? '')
  return code.startsWith('FST_BACKUP_') ? `${code}: ${error.message}` : `${error.name} ${code}`.trim()
}
