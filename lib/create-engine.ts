import type { FastifyBaseLogger } from 'fastify'
import { ShuttingDown } from './errors.ts'
import { createBackupLog } from './log/backup-log.ts'
import { isSystemSchema } from './options/check-options.ts'
import type { ResolvedOptions } from './options/resolve-service-options.ts'
import { acceptPool, createLogPool, createPool } from './postgres/driver/connection.ts'
import { type Clock, systemClock } from './clock.ts'
import { scheduleBackups } from './background/scheduled-backups.ts'
import { createAdoption } from './consistency/adopt-after-loss.ts'
import { createCalls } from './runs/pending-calls.ts'
import type { Context } from './runs/context.ts'
import { beginCreate } from './service/create-backup.ts'
import { downloadBackup } from './service/download-backup.ts'
import type { BackupCalls, BackupEngine } from './service/backup-engine.ts'
import { createEventHub } from './runs/event-hub.ts'
import { guardStorage } from './storage/guard-storage.ts'
import { createHealer } from './background/healer.ts'
import { healLog } from './consistency/heal-log.ts'
import { readStatus } from './service/read-status.ts'
import { publicError } from './runs/public-error.ts'
import { importBackup } from './service/import-backup.ts'
import { placesOf } from './runs/semaphore.ts'
import { planRestoreOf } from './service/plan-restore.ts'
import { pruneBackups } from './service/prune-backups.ts'
import { removeBackup } from './service/remove-backup.ts'
import { getBackup } from './service/get-backup.ts'
import { listBackups } from './service/list-backups.ts'
import { beginRestore } from './service/restore-backup.ts'
import { rescanStorage } from './service/rescan-storage.ts'
import { createRuns } from './runs/active-runs.ts'
import { createStorageKeeper } from './background/storage-keeper.ts'
import { createStoragePresence } from './consistency/look-for-storage.ts'
import { updateBackup } from './service/update-backup.ts'
import { verifyBackup } from './service/verify-backup.ts'
import { createFileSystemStorage } from './storage/file-system-storage.ts'
import { createRunner, findWorkerEntry } from './worker/create-runner.ts'

/** app.close() waits for us, and for those below: together they stay under the 5 s that we promise, and under Fastify's 10 s for a hook. */
const graceMs = 3000
/** For the runs of workers that had to be ended by force to be noted as failed. */
const noteMs = 500
/** For the connections to say good-bye. */
const closeSeconds = 0.5

/** Puts the rooms together. Nothing connects before the first call, or start(). */
export function createEngine (options: ResolvedOptions, logger: FastifyBaseLogger, clock: Clock = systemClock, workerEntry = findWorkerEntry()): BackupEngine {
  const sql = options.sql === undefined ? createPool(options.connection) : acceptPool(options.sql)
  const logSql = createLogPool(sql)
  const stopping = new AbortController()
  const calls = createCalls()
  const log = createBackupLog(logSql, options.logSchema, clock.now)
  const storage = guardStorage(options.storage ?? createFileSystemStorage(options.storagePath))
  const context: Context = {
    options,
    // Calls by code have no request
    isAllowed: (schema) => options.isSchemaAllowed(schema),
    sql,
    log,
    storage,
    presence: createStoragePresence({ log, storage, directory: options.storagePath, isCustom: options.storage !== undefined, now: clock.now }),
    events: createEventHub((event) => { logger.error({ event }, 'a listener of fastify.backup threw') }),
    runner: createRunner(sql, options.worker, workerEntry, (reason) => { logger.warn({ reason }, 'backups and restores run in the main thread, and take time from the service') }),
    runs: createRuns(placesOf(sql), clock.now),
    clock,
    logger,
    undeletable: new Set(),
    adoptLost: async () => { await adoption.settle() },
    requestHealing: () => { healer.request() }
  }
  const { events, runs } = context
  const healer = createHealer(context, stopping.signal, async () => { await healLog(context) })
  const adoption = createAdoption(context, stopping.signal)
  const keeper = createStorageKeeper(context, stopping.signal)
  const scheduler = options.schedule.enabled ? scheduleBackups({ ...context, isAllowed: (schema) => !isSystemSchema(schema) }) : undefined

  /** Every call of the public service. */
  function whileOpen<A extends unknown[], T> (call: (...values: A) => Promise<T>): (...values: A) => Promise<T> {
    return async (...values) => {
      try {
        runs.requireOpen()
        return await calls.track(call(...values))
      } catch (error) {
        throw publicError(error)
      }
    }
  }

  const callsOf = (context: Context): BackupCalls => ({
    create: whileOpen(async (request) => await (await beginCreate(context, request)).finished),
    beginCreate: whileOpen(async (request) => await beginCreate(context, request)),
    list: whileOpen(async (query) => await listBackups(context, query)),
    get: whileOpen(async (id) => await getBackup(context, id)),
    download: whileOpen(async (id, range) => await downloadBackup(context, id, range)),
    plan: whileOpen(async (id, request) => await planRestoreOf(context, id, request)),
    restore: whileOpen(async (id, request) => await (await beginRestore(context, id, request)).finished),
    beginRestore: whileOpen(async (id, request) => await beginRestore(context, id, request)),
    verify: whileOpen(async (id, call) => await verifyBackup(context, id, call)),
    import: whileOpen(async (source, request) => await importBackup(context, source, request)),
    remove: whileOpen(async (id) => { await removeBackup(context, id) }),
    update: whileOpen(async (id, changes) => await updateBackup(context, id, changes)),
    prune: whileOpen(async () => await pruneBackups(context)),
    rescan: whileOpen(async (call) => await rescanStorage(context, call)),
    status: whileOpen(async (query) => await readStatus(context, scheduler, query))
  })

  const engine: BackupEngine = {
    ...callsOf(context),
    forCaller: (isAllowed) => callsOf({ ...context, isAllowed }),
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
      healer.request()
      keeper.start()
      scheduler?.start()
    },
    async stop () {
      stopping.abort()
      await within(graceMs, Promise.all([runs.stop(), scheduler?.stop(), keeper.stop(), healer.idle(), calls.answered()]))
      calls.giveUp(new ShuttingDown())
    },
    async close () {
      await context.runner.close()
      await within(noteMs, runs.stop())
      const own = options.sql === undefined ? [sql, logSql] : [logSql]
      await Promise.all(own.map(async (pool) => { await pool.end({ timeout: closeSeconds }) }))
    }
  }
  return engine
}

/** A database that no longer answers must not hold app.close(). */
async function within (ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => { timer = setTimeout(resolve, ms) })])
  clearTimeout(timer)
}
