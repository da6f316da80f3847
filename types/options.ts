import type { FastifyRequest } from 'fastify'
import type { FastifyAuthFunction } from '@fastify/auth'
import type { Options as PostgresOptions, PostgresType, Sql } from 'postgres'
import type { SnapshotStorage } from './storage.ts'

export type AuthFunctions = Array<FastifyAuthFunction | FastifyAuthFunction[]>

export interface ScheduleOptions {
  /** Run the scheduler. @defaultValue false */
  enabled?: boolean
  /** Five fields of cron. In interval mode only a step in the hour or the minute field counts. @defaultValue '0 2 * * *' */
  cron?: string
  /** Days that scheduled snapshots are kept. @defaultValue 30 */
  retentionDays?: number
  /** `interval`: every N hours, every N minutes, or daily, counted from the Unix epoch. `calendar`: real cron. @defaultValue 'interval' */
  mode?: 'interval' | 'calendar'
  /** IANA time zone of the calendar mode. @defaultValue 'UTC' */
  timezone?: string
  /** Schemas to back up at each slot, or a function that names them. @defaultValue [schema] */
  schemas?: string[] | (() => string[] | Promise<string[]>)
  /** Schemas backed up at the same time. @defaultValue 2 */
  concurrency?: number
}

/** What makes a snapshot suspect, compared with the full snapshots before it. */
export interface GuardOptions {
  /** The share of its rows that a table may lose: 0.5 is half of them. From 0 to 1, without 1. @defaultValue 0.5 */
  shrink?: number
  /** Tables with fewer rows than this are not compared. @defaultValue 100 */
  minRows?: number
  /** Snapshots that a new one is compared with. @defaultValue 7 */
  window?: number
  /** Tables that may shrink: job queues, caches. @defaultValue [] */
  ignoreTables?: string[]
}

/**
 * Periods of each kind whose newest snapshot stays, beside `maxBackups` and whatever its age: those of the last N periods, in UTC, that have a
 * snapshot. The keep rules of restic (restic's manual, "Removing backup snapshots").
 */
export interface KeepRules {
  hourly?: number
  daily?: number
  weekly?: number
  monthly?: number
  yearly?: number
}

/** What a file from elsewhere may cost: an import, or a file in the storage that has no row. Own snapshots are not bounded. */
export interface LimitOptions {
  /** Longest row, in bytes of the file. Memory for about three of them is taken. @defaultValue 256 MiB */
  rowBytes?: number
  /** Longest manifest, in bytes. @defaultValue 16 MiB */
  manifestBytes?: number
}

export interface BackupOptions {
  /** Mount the service and its routes. @defaultValue false */
  enabled?: boolean
  /** Prefix of the routes. @defaultValue '/admin/backup' */
  basePath?: string
  /** Directory of the snapshot files. @defaultValue './backups' */
  storagePath?: string
  /** The format of the snapshots; there is one. @defaultValue 'json' */
  format?: 'json'
  /** Snapshots kept per schema; older ones are pruned. @defaultValue 50 */
  maxBackups?: number
  /** Keep more than `maxBackups`: the newest snapshot of each of the last N periods. @defaultValue none */
  retention?: KeepRules
  /** What makes a snapshot suspect, so that those before it are held. `false`: nothing is compared or held. @defaultValue see GuardOptions */
  guard?: GuardOptions | false
  /** Whether snapshots may be restored at all, by anybody. @defaultValue false */
  allowRestore?: boolean
  /** Tables left out, `name` or `schema.name`. @defaultValue ['audit_logs', 'backup_logs'] */
  excludeTables?: string[]
  schedule?: ScheduleOptions
  /** A postgres.js instance that the caller owns and closes; its `max` must be 2 or more. */
  sql?: Sql
  /** A URL or postgres.js options; the plugin connects lazily and closes. @defaultValue DATABASE_URL, then PG* */
  connection?: string | PostgresOptions<Record<string, PostgresType>>
  /** Schema backed up when a call names none. @defaultValue 'public' */
  schema?: string
  /**
   * Schemas that callers may name, and whose backups they may see, read, restore from and delete; a backup of any other schema is 404 to them. A
   * function is asked for each schema, with the request over HTTP and without one for calls by code. Any answer but `true` is a no, a promise too.
   * The schedule, retention and rescans are not bounded. @defaultValue any but system ones
   */
  schemas?: string[] | ((name: string, request?: FastifyRequest) => boolean)
  /** The existing schema that holds `backup_logs`. @defaultValue schema */
  logSchema?: string
  /** @fastify/auth functions, all of which must pass. `false`: something else guards the routes. */
  auth?: AuthFunctions | false
  /** Further functions for restore, delete and unpin. */
  restoreAuth?: AuthFunctions
  /** Who calls. @defaultValue id, sub or email of request.user */
  actor?: (request: FastifyRequest) => string
  /**
   * Take snapshots and restore them in a worker thread, so that the service's event loop stays free. Where the connection can't be rebuilt there
   * (it has a `socket`, or a function in `ssl`), and in a bundle, the main thread does it, with a warning. @defaultValue true
   */
  worker?: boolean
  limits?: LimitOptions
  /** Where snapshot files live. @defaultValue the file system, below storagePath */
  storage?: SnapshotStorage
}
