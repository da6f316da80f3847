import { createHealer } from './background/healer.ts'
import { scheduleBackups } from './background/scheduled-backups.ts'
import { createStorageKeeper } from './background/storage-keeper.ts'
import { bindCalls } from './bind-calls.ts'
import { type Clock, systemClock } from './clock.ts'
import { createAdoption } from './consistency/adopt-after-loss.ts'
import { healLog } from './consistency/heal-log.ts'
import { createContext, type Pools } from './create-context.ts'
import { ShuttingDown } from './errors.ts'
import { createEventFeed } from './feed/event-feed.ts'
import type { ResolvedOptions } from './options/resolve-service-options.ts'
import { isSystemSchema } from './postgres/identifiers.ts'
import type { Context } from './runs/context.ts'
import { listenersOf } from './runs/event-hub.ts'
import { createSafeLogger } from './runs/safe-logger.ts'
import { createPendingCalls, type PendingCalls } from './runs/pending-calls.ts'
import type { BackupEngine } from './service/backup-engine.ts'
import { shutdownMs, within } from './shutdown.ts'
import { defaultWorkers } from './worker/create-runner.ts'
import type { BackupLogger } from '../types/index.ts'

/** Creates the service behind `fastify.backup`. It does not connect before the first call or start(). */
export function createEngine (
  options: ResolvedOptions, logger: BackupLogger, clock: Clock = systemClock, workers = defaultWorkers()
): BackupEngine {
  const stopping = new AbortController()
  const pending = createPendingCalls()
  const { context, pools } = createContext(options, createSafeLogger(logger), clock, workers, {
    adoptAfterLoss: async () => { await adoption.finish() },
    requestHealing: () => { background.healer.request() }
  })
  const adoption = createAdoption(context, stopping.signal)
  const background = createBackground(context, stopping.signal)
  const feed = createEventFeed(context)
  const { events } = context

  const engine: BackupEngine = {
    ...bindCalls(context, background.scheduler, pending, feed),
    forCaller: (isAllowed) => bindCalls({ ...context, isAllowed }, background.scheduler, pending, feed),
    ...listenersOf(events, () => engine),
    start: background.start,
    async stop () {
      stopping.abort()
      feed.stop()
      await stop(context, background, pending)
    },
    close: async () => { await close(context, pools) }
  }
  return engine
}

interface Background {
  healer: ReturnType<typeof createHealer>
  keeper: ReturnType<typeof createStorageKeeper>
  /** Undefined when the schedule is disabled. */
  scheduler: ReturnType<typeof scheduleBackups> | undefined
  start: () => void
}

function createBackground (context: Context, signal: AbortSignal): Background {
  const healer = createHealer(context, signal, async () => { await healLog(context) })
  const keeper = createStorageKeeper(context, signal)
  const scheduler = context.options.schedule.enabled
    ? scheduleBackups({ ...context, isAllowed: (schema) => !isSystemSchema(schema) })
    : undefined
  return {
    healer,
    keeper,
    scheduler,
    start () {
      healer.request()
      keeper.start()
      scheduler?.start()
    }
  }
}

async function stop (
  { runs }: Context, { healer, keeper, scheduler }: Background, pending: PendingCalls
): Promise<void> {
  await within(shutdownMs.runs, Promise.all([
    runs.stop(), scheduler?.stop(), keeper.stop(), healer.idle(), pending.settled()
  ]))
  pending.rejectAll(new ShuttingDown())
}

async function close ({ runner, runs }: Context, { own }: Pools): Promise<void> {
  await runner.close()
  await within(shutdownMs.failures, runs.stop())
  await Promise.all(own.map(async (pool) => { await pool.end({ timeout: shutdownMs.connections / 1000 }) }))
}
