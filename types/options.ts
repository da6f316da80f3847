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
  /** Schemas that callers may name. @defaultValue any but system ones */
  schemas?: string[] | ((name: string) => boolean)
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
  /** Where snapshot files live. @defaultValue the file system, below storagePath */
  storage?: SnapshotStorage
}
