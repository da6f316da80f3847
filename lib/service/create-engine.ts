import type { FastifyBaseLogger } from 'fastify'
import { NotFound } from '../errors.ts'
import { createBackupLog } from '../log/backup-log.ts'
import type { ResolvedOptions } from '../options.ts'
import { acceptPool, createPool } from '../postgres/connection.ts'
import { calendarCadence } from '../schedule/calendar-cadence.ts'
import { intervalCadence } from '../schedule/interval-cadence.ts'
import { type Clock, systemClock } from '../schedule/clock.ts'
import { createScheduler, type Scheduler, type SlotOutcome } from '../schedule/scheduler.ts'
import { createFileSystemStorage } from '../storage/file-system-storage.ts'
import { checkId, checkNote } from './arguments.ts'
import type { Context } from './context.ts'
import { beginCreate, SlotTaken } from './create-backup.ts'
import { downloadBackup } from './download-backup.ts'
import type { BackupEngine } from './engine.ts'
import { createEventHub } from './event-hub.ts'
import { healUntilDone } from './heal-log.ts'
import { errorText, isOwnError } from './outcome.ts'
import { pruneAll, removeBackup } from './prune-backups.ts'
import { getBackup, listBackups, readStatus } from './read-backups.ts'
import { beginRestore, planRestoreOf } from './restore-backup.ts'
import { createRuns } from './runs.ts'

/** app.close() waits for us: under the 5 s that we promise, and under Fastify's 10 s for a hook. */
const graceMs = 4500
/** For the connections to say good-bye. */
const closeSeconds = 2

/** Puts the rooms together. Nothing connects before the first call, or start(). */
export function createEngine (options: ResolvedOptions, logger: FastifyBaseLogger, clock: Clock = systemClock): BackupEngine {
  const sql = options.sql === undefined ? createPool(options.connection) : acceptPool(options.sql)
  const stopping = new AbortController()
  let healing: Promise<void> | undefined
  const context: Context = {
    options,
    sql,
    log: createBackupLog(sql, options.logSchema),
    storage: options.storage ?? createFileSystemStorage(options.storagePath),
    events: createEventHub((event) => { logger.error({ event }, 'a listener of fastify.backup threw') }),
    runs: createRuns(sql.options.max),
    clock,
    logger,
    requestHealing () {
      healing ??= healUntilDone(context, stopping.signal).finally(() => { healing = undefined })
    }
  }
  const { events, log, runs } = context
  const scheduler = options.schedule.enabled ? scheduleBackups(context) : undefined

  /** Every call of the public service. */
  function whileOpen<A extends unknown[], T> (call: (...values: A) => Promise<T>): (...values: A) => Promise<T> {
    return async (...values) => {
      runs.requireOpen()
      return await call(...values)
    }
  }

  const engine: BackupEngine = {
    create: whileOpen(async (request) => await (await beginCreate(context, request)).finished),
    beginCreate: whileOpen(async (request) => await beginCreate(context, request)),
    list: whileOpen(async (query = {}) => await listBackups(context, query)),
    get: whileOpen(async (id) => await getBackup(context, id)),
    download: whileOpen(async (id, range) => await downloadBackup(context, id, range)),
    plan: whileOpen(async (id, request = {}) => await planRestoreOf(context, id, request)),
    restore: whileOpen(async (id, request) => await (await beginRestore(context, id, request)).finished),
    beginRestore: whileOpen(async (id, request) => await beginRestore(context, id, request)),
    remove: whileOpen(async (id) => { await removeBackup(context, id) }),
    update: whileOpen(async (id, changes) => {
      checkId(id)
      checkNote(changes.note)
      if (!await log.update(id, changes)) throw new NotFound(id)
      return await getBackup(context, id)
    }),
    prune: whileOpen(async () => await pruneAll(context)),
    status: whileOpen(async () => await readStatus(context, scheduler?.nextRunAt() ?? null)),
    on (event, listener) {
      events.on(event, listener)
      return engine
    },
    once (event, listener) {
      events.once(event, listener)
      return engine
    },
    off (event, listener) {
      events.off(event, listener)
      return engine
    },
    start () {
      context.requestHealing()
      scheduler?.start()
    },
    async stop () {
      stopping.abort()
      await withinGrace(Promise.all([runs.stop(), scheduler?.stop(), healing]))
    },
    async close () {
      if (options.sql === undefined) await sql.end({ timeout: closeSeconds })
    }
  }
  return engine
}

/** A database that no longer answers must not hold app.close(). */
async function withinGrace (work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => { timer = setTimeout(resolve, graceMs) })])
  clearTimeout(timer)
}

function scheduleBackups (context: Context): Scheduler {
  const { options, log, logger, clock } = context
  const { cron, mode, timezone, schemas } = options.schedule
  const cadence = mode === 'calendar' ? calendarCadence(cron, timezone) : intervalCadence(cron)
  if (cadence.warning !== null) logger.warn(cadence.warning)

  async function run (schema: string, slot: Date, signal: AbortSignal): Promise<SlotOutcome> {
    try {
      const newest = await log.newestSlot(schema)
      if (newest !== null && newest >= slot) return 'taken'
      await (await beginCreate(context, { schema, signal }, { slot, cron })).finished
      return 'done'
    } catch (error) {
      if (error instanceof SlotTaken) return 'taken'
      if (isOwnError(error, 'BUSY')) return 'busy'
      logger.error({ schema, slot, reason: errorText(error) }, 'a scheduled backup failed')
      return isOwnError(error, 'DATABASE_UNAVAILABLE') || isOwnError(error, 'SHUTTING_DOWN') ? 'retry' : 'done'
    }
  }

  return createScheduler({ cadence, schemas, run, lastSlot: log.newestSlot, clock, logger })
}
