import { resolve } from 'node:path'
import type { FastifyRequest } from 'fastify'
import type { BackupOptions, GuardOptions, KeepRules, ScheduleOptions, SnapshotStorage } from '../../types/index.ts'
import { OptionInvalid } from '../errors.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import type { Compression } from '../pipeline/codec.ts'
import { codecOf } from '../pipeline/codecs.ts'
import { isSystemSchema } from '../postgres/identifiers.ts'

export interface ResolvedSchedule {
  readonly enabled: boolean
  readonly cron: string
  readonly retentionDays: number
  readonly mode: 'interval' | 'calendar'
  readonly timezone: string
  readonly schemas: () => string[] | Promise<string[]>
  readonly concurrency: number
}

export interface ResolvedGuard {
  readonly shrink: number
  readonly minRows: number
  readonly window: number
  readonly ignoreTables: string[]
}

export interface ResolvedLimits {
  readonly rowBytes: number
  readonly manifestBytes: number
}

/** The options of the service behind `fastify.backup`, with their defaults. A script needs no others. */
export interface ResolvedOptions {
  /** Absolute. */
  readonly storagePath: string
  readonly maxBackups: number
  readonly retention: KeepRules
  /** Undefined: no snapshot is compared or held. */
  readonly guard: ResolvedGuard | undefined
  readonly allowRestore: boolean
  readonly excludeTables: string[]
  readonly schedule: ResolvedSchedule
  /** The application's pool. Without `sql` and `connection`, environment variables define the connection. */
  readonly sql: Sql | undefined
  readonly connection: BackupOptions['connection']
  readonly schema: string
  /**
   * Whether a caller may name this schema and see its backups. False for system schemas. A call by code has no
   * request.
   */
  readonly isSchemaAllowed: (name: string, request?: FastifyRequest) => boolean
  /** False without the option `schemas`: every caller sees the backups of every schema. */
  readonly areCallersBounded: boolean
  readonly logSchema: string
  readonly storage: SnapshotStorage | undefined
  readonly worker: boolean
  /** Connections that read one backup. */
  readonly connections: number
  /** Null for none. */
  readonly compression: Compression | null
  /** For imported files and files without a log row. */
  readonly limits: ResolvedLimits
}

const mebibyte = 1024 * 1024

function resolveSchedule (schedule: ScheduleOptions, schema: string): ResolvedSchedule {
  const {
    enabled = false,
    cron = '0 2 * * *',
    retentionDays = 30,
    mode = 'interval',
    timezone = 'UTC',
    schemas = [schema],
    concurrency = 2
  } = schedule
  const names = Array.isArray(schemas) ? [...schemas] : schemas
  const listSchemas = Array.isArray(names) ? () => [...names] : names
  return { enabled, cron, retentionDays, mode, timezone, schemas: listSchemas, concurrency }
}

function resolveGuard (guard: GuardOptions | false = {}): ResolvedGuard | undefined {
  if (guard === false) return undefined
  const { shrink = 0.5, minRows = 100, window = 7, ignoreTables = [] } = guard
  return { shrink, minRows, window, ignoreTables: [...ignoreTables] }
}

/** Throws FST_BACKUP_OPTION_INVALID for a format that this version of Node.js does not have. */
function resolveCompression (option: BackupOptions['compression'] = 'none'): Compression | null {
  const { type, level } = typeof option === 'string' ? { type: option } : option
  if (type === 'none') return null
  if (codecOf(type) === undefined) {
    throw new OptionInvalid(`option 'compression' is '${type}', which this version of Node.js does not have; use ` +
      "22.15 or a newer one, or 'gzip'")
  }
  return { type, level }
}

function resolveBounds (schemas: BackupOptions['schemas']): ResolvedOptions['isSchemaAllowed'] {
  const names = Array.isArray(schemas) ? new Set(schemas) : undefined
  return (name, request) => {
    if (isSystemSchema(name)) return false
    if (names !== undefined) return names.has(name)
    if (typeof schemas !== 'function') return true
    // Only true counts: the promise of an async function is truthy and would allow every name. Its rejection must not
    // terminate the process
    const result: unknown = schemas(name, request)
    if (result instanceof Promise) result.catch(() => {})
    return result === true
  }
}

/**
 * Applies the defaults. assertOptions() has validated each option; this checks only that `sql` and `connection` are not
 * combined.
 */
export function resolveServiceOptions (options: BackupOptions): ResolvedOptions {
  const { schema = 'public', limits = {} } = options
  if (options.sql !== undefined && options.connection !== undefined) {
    throw new OptionInvalid("options 'sql' and 'connection' exclude each other; pass one of them")
  }
  return {
    storagePath: resolve(options.storagePath ?? './backups'),
    maxBackups: options.maxBackups ?? 50,
    retention: { ...options.retention },
    guard: resolveGuard(options.guard),
    allowRestore: options.allowRestore ?? false,
    excludeTables: [...options.excludeTables ?? ['audit_logs', 'backup_logs']],
    schedule: resolveSchedule(options.schedule ?? {}, schema),
    sql: options.sql,
    connection: options.connection,
    schema,
    isSchemaAllowed: resolveBounds(options.schemas),
    areCallersBounded: options.schemas !== undefined,
    logSchema: options.logSchema ?? schema,
    storage: options.storage,
    worker: options.worker ?? true,
    connections: options.connections ?? 1,
    compression: resolveCompression(options.compression),
    limits: { rowBytes: limits.rowBytes ?? 256 * mebibyte, manifestBytes: limits.manifestBytes ?? 16 * mebibyte }
  }
}
