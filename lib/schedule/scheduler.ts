import type { Cadence } from './cadence.ts'
import { systemClock, type Clock } from '../clock.ts'
import { createFailureHistory, describe, type FailureHistory } from './failure-history.ts'
import { createSchemaList, type KnownSchemas } from './schema-list.ts'
import { createSchemaQueue, type Report, type SchemaQueue } from './schema-queue.ts'
import { createDoneSlots } from './done-slots.ts'

/**
 * The result of a slot: `done` here, `taken` by another replica, or to retry, because the schema was `busy` or
 * something failed that may succeed later (`retry`).
 */
export type SlotOutcome = 'done' | 'taken' | 'busy' | 'retry'

type Log = (details: object, message: string) => void

export interface SchedulerOptions {
  cadence: Cadence
  /** Called at each slot, at each retry, and when knownSchemas() needs a newer list. */
  schemas: () => Promise<string[]> | string[]
  /** Claims the slot and takes the backup. Ends soon after `signal` aborts. */
  run: (schema: string, slot: Date, signal: AbortSignal) => Promise<SlotOutcome>
  /** The newest slot up to `slot` that any replica has ever claimed for the schema; null before the first one. */
  lastSlot: (schema: string, slot: Date) => Promise<Date | null>
  /** The number of schemas that are backed up at the same time. */
  concurrency: number
  logger: { debug: Log, info: Log, warn: Log, error: Log }
  /** @defaultValue the machine's */
  clock?: Clock
  /**
   * Pause before a retry, in milliseconds; up to a quarter is added at random. It doubles with each failure of the same
   * slot, up to ten minutes. A busy schema is always retried after the first pause. @defaultValue 15000
   */
  retryMs?: number
}

export interface Scheduler {
  cadence: Cadence
  /** Returns at once. Does nothing the second time, and after stop(). */
  start: () => void
  /** Aborts the current runs and resolves when they have ended. No run starts afterwards. */
  stop: () => Promise<void>
  /** The next slot, or null before start() and after stop(). */
  nextRunAt: () => Date | null
  /** When start() was called; null before it. */
  startedAt: () => Date | null
  /** Requests the schemas when the list is older than a minute, and waits up to a second. */
  knownSchemas: () => Promise<KnownSchemas>
}

/** Runs the slots of the schemas, and retries those that fail. */
interface SlotRunner {
  /** Runs the newest slot of the schema, unless it is done. Never rejects. */
  runNewestSlot: (schema: string, firstSlot: number) => Promise<void>
  /** Resolves when the current runs have ended. */
  idle: () => Promise<void>
}

/**
 * Runs each schema once per slot, `concurrency` of them at a time.
 *
 * Only the newest slot counts: one that passed while the service was down, while the machine slept or during a long run
 * is skipped for the next one. A schema that could not be backed up is retried until the next slot; the others are not
 * delayed. No function rejects: failures are logged, and the work is retried.
 */
export function createScheduler (options: SchedulerOptions): Scheduler {
  const { cadence, concurrency, logger, clock = systemClock, retryMs = 15_000 } = options
  const controller = new AbortController()
  const { signal } = controller
  const history = createFailureHistory()
  const report: Report = (level, details, message) => { if (!signal.aborted) logger[level](details, message) }
  const list = createSchemaList(options.schemas, clock)
  const queue = createSchemaQueue({ cadence, clock, retryMs, list, history, report })
  const slotRunner = createSlotRunner({ ...options, clock, queue, history, report, signal })
  let working: Promise<unknown> | undefined
  let startedAt: Date | null = null

  /** When a loop fails, the others end too: a schedule must not silently back up fewer schemas at a time. */
  function startLoops (): Promise<unknown> {
    const firstSlot = cadence.previous(clock.now()).getTime()
    const runSlot = async (schema: string): Promise<void> => { await slotRunner.runNewestSlot(schema, firstSlot) }
    const loop = async (): Promise<never> => await processQueue(queue, clock, signal, runSlot)
    return Promise.all(Array.from({ length: concurrency }, loop))
  }

  return {
    cadence,
    start () {
      startedAt ??= clock.now()
      working ??= startLoops().catch((error: unknown) => {
        report('error', { reason: describe(error) }, 'the schedule has ended')
        controller.abort()
      })
    },
    async stop () {
      controller.abort()
      // Does not wait for the list of schemas: a query for it may take longer than a service may take to close
      await slotRunner.idle()
    },
    nextRunAt: () => working === undefined || signal.aborted ? null : cadence.next(clock.now()),
    startedAt: () => startedAt,
    knownSchemas: list.known
  }
}

/**
 * Runs the slot of one schema after the other until `signal` aborts. A run that hangs does not delay the other loops.
 */
async function processQueue (
  queue: SchemaQueue,
  clock: Clock,
  signal: AbortSignal,
  runSlot: (schema: string) => Promise<void>
): Promise<never> {
  for (;;) {
    signal.throwIfAborted()
    const waitMs = queue.untilDue(clock.now())
    const schema = queue.take()
    if (schema !== undefined) await runSlot(schema)
    else if (waitMs > 0) await clock.wait(waitMs, signal)
    else await queue.fill()
  }
}

interface SlotRunnerOptions extends SchedulerOptions {
  clock: Clock
  queue: SchemaQueue
  history: FailureHistory
  report: Report
  signal: AbortSignal
}

function createSlotRunner (options: SlotRunnerOptions): SlotRunner {
  const { cadence, run, lastSlot, logger, clock, queue, history, report, signal } = options
  const slots = createDoneSlots(lastSlot, logger)
  const running = new Set<Promise<unknown>>()

  async function track<T> (work: Promise<T>): Promise<T> {
    running.add(work)
    return await work.finally(() => { running.delete(work) })
  }

  async function tryToRun (schema: string, slot: number, firstSlot: number): Promise<void> {
    if (!await slots.isOpen(schema, slot, firstSlot)) return
    signal.throwIfAborted()
    slots.recordAttempt(schema, slot)
    const outcome = await track(run(schema, new Date(slot), signal))
    if (outcome === 'busy' || outcome === 'retry') return queue.retryLater(schema, slot, outcome)
    slots.recordDone(schema, slot)
    queue.forgetRetries(schema)
    history.recordSuccess(schema)
  }

  return {
    async runNewestSlot (schema, firstSlot) {
      const slot = cadence.previous(clock.now()).getTime()
      try {
        await tryToRun(schema, slot, firstSlot)
      } catch (error) {
        const reason = describe(error)
        const level = history.recordFailure(schema, slot, reason)
        report(level, { schema, slot: new Date(slot), reason }, 'a scheduled backup did not succeed; retrying')
        queue.retryLater(schema, slot, 'retry')
      } finally {
        queue.release(schema, slot)
      }
    },
    async idle () { await Promise.allSettled(running) }
  }
}
