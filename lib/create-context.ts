import type { Clock } from './clock.ts'
import { createStoragePresence } from './consistency/check-presence.ts'
import { createBackupLog } from './log/backup-log.ts'
import type { ResolvedOptions } from './options/resolve-service-options.ts'
import { acceptPool, createLogPool, createPool, type Sql } from './postgres/driver/connection.ts'
import { createRuns } from './runs/active-runs.ts'
import type { Context } from './runs/context.ts'
import { createEventHub } from './runs/event-hub.ts'
import { connectionSemaphoreOf } from './runs/semaphore.ts'
import { createFileSystemStorage } from './storage/file-system-storage.ts'
import { withPublicStorageErrors } from './storage/public-storage-errors.ts'
import { createRunner, type WorkerSetup } from './worker/create-runner.ts'
import type { BackupLogger } from '../types/index.ts'

/** The functions that the engine provides; the options do not determine them. */
export type EngineCallbacks = Pick<Context, 'adoptAfterLoss' | 'requestHealing'>

/** The pools of an engine. */
export interface Pools {
  sql: Sql
  /** The pools that the engine opened and must end. */
  own: Sql[]
}

/** Creates everything that the use cases depend on. Does not connect. */
export function createContext (
  options: ResolvedOptions,
  logger: BackupLogger,
  clock: Clock,
  workers: WorkerSetup,
  callbacks: EngineCallbacks
): { context: Context, pools: Pools } {
  const sql = options.sql === undefined ? createPool(options.connection) : acceptPool(options.sql)
  const logSql = createLogPool(sql)
  const log = createBackupLog(logSql, options.logSchema, clock.now)
  const storage = withPublicStorageErrors(options.storage ?? createFileSystemStorage(options.storagePath))
  const { now } = clock
  const context: Context = {
    options,
    // Calls by code have no request
    isAllowed: (schema) => options.isSchemaAllowed(schema),
    sql,
    log,
    storage,
    presence: createStoragePresence({
      log, storage, directory: options.storagePath, isCustom: options.storage !== undefined, now
    }),
    events: createEventHub((event) => { logger.error({ event }, 'a listener of fastify.backup threw') }),
    runner: createRunner(sql, options.worker, workers, (reason) => {
      logger.warn({ reason }, 'backups and restores run in the main thread and slow down the service')
    }),
    runs: createRuns(connectionSemaphoreOf(sql), now),
    clock,
    logger,
    undeletable: new Set(),
    ...callbacks
  }
  return { context, pools: { sql, own: options.sql === undefined ? [sql, logSql] : [logSql] } }
}
