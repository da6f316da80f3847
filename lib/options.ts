import { resolve } from 'node:path'
import type { FastifyRequest } from 'fastify'
import type { AuthFunctions, BackupOptions, GuardOptions, KeepRules, ScheduleOptions, SnapshotStorage } from '../types/index.ts'
import { resolveActor } from './actor.ts'
import { AuthRequired, OptionInvalid } from './errors.ts'
import { assertOptions, isPlainObject, isSystemSchema } from './option-checks.ts'
import type { Sql } from './postgres/connection.ts'

export interface ResolvedSchedule {
  readonly enabled: boolean
  readonly cron: string
  readonly retentionDays: number
  readonly mode: 'interval' | 'calendar'
  readonly timezone: string
  readonly schemas: () => string[] | Promise<string[]>
  readonly concurrency: number
}

export interface ResolvedLimits {
  readonly rowBytes: number
  readonly manifestBytes: number
}

/** The options with every default decided. */
export interface ResolvedOptions {
  readonly enabled: true
  /** Begins with a slash and ends without. */
  readonly basePath: string
  /** Absolute. */
  readonly storagePath: string
  readonly maxBackups: number
  readonly retention: KeepRules
  /** Undefined: nothing is compared or held. */
  readonly guard: Required<GuardOptions> | undefined
  readonly allowRestore: boolean
  readonly excludeTables: string[]
  readonly schedule: ResolvedSchedule
  /** The caller's own pool. Without it and without `connection`, the environment says where the database is. */
  readonly sql: Sql | undefined
  readonly connection: BackupOptions['connection']
  readonly schema: string
  /** Whether a caller may name this schema, and see its backups. Never a system schema. Calls by code have no request. */
  readonly isSchemaAllowed: (name: string, request?: FastifyRequest) => boolean
  /** Without the option `schemas` every caller sees the backups of every schema. */
  readonly areCallersBounded: boolean
  readonly logSchema: string
  readonly auth: AuthFunctions | false
  /** Empty when nothing further is asked for. */
  readonly restoreAuth: AuthFunctions
  /** Who calls, or null. Throws when the caller's own function does not say. */
  readonly actor: (request: FastifyRequest) => string | null
  readonly storage: SnapshotStorage | undefined
  readonly worker: boolean
  /** Of files that come from elsewhere. */
  readonly limits: ResolvedLimits
}

const mebibyte = 1024 * 1024

function resolveSchedule (schedule: ScheduleOptions, schema: string): ResolvedSchedule {
  const { enabled = false, cron = '0 2 * * *', retentionDays = 30, mode = 'interval', timezone = 'UTC', schemas = [schema], concurrency = 2 } = schedule
  const names = Array.isArray(schemas) ? [...schemas] : schemas
  return { enabled, cron, retentionDays, mode, timezone, schemas: Array.isArray(names) ? () => [...names] : names, concurrency }
}

function resolveGuard (guard: GuardOptions | false = {}): Required<GuardOptions> | undefined {
  if (guard === false) return undefined
  const { shrink = 0.5, minRows = 100, window = 7, ignoreTables = [] } = guard
  return { shrink, minRows, window, ignoreTables: [...ignoreTables] }
}

function resolveBounds (schemas: BackupOptions['schemas']): ResolvedOptions['isSchemaAllowed'] {
  const names = Array.isArray(schemas) ? new Set(schemas) : undefined
  return (name, request) => {
    if (isSystemSchema(name)) return false
    if (names !== undefined) return names.has(name)
    if (typeof schemas !== 'function') return true
    // Anything but true is a no: the promise of an async function would say yes to every name. When it rejects, the process must not end
    const answer: unknown = schemas(name, request)
    if (answer instanceof Promise) answer.catch(() => {})
    return answer === true
  }
}

/** Lists are copied on both levels: @fastify/auth changes the one that it is given. */
function copyFunctions (functions: AuthFunctions): AuthFunctions {
  return functions.map((entry) => Array.isArray(entry) ? [...entry] : entry)
}

function requireAuth ({ auth, restoreAuth = [], allowRestore = false }: BackupOptions): { auth: AuthFunctions | false, restoreAuth: AuthFunctions } {
  if (auth === undefined || (auth !== false && auth.length === 0)) {
    throw new AuthRequired("option 'auth' is required: give the @fastify/auth functions that must all pass, or false when something else guards the routes")
  }
  if (auth === false && allowRestore && restoreAuth.length === 0) {
    throw new AuthRequired("option 'restoreAuth' is required when auth is false and allowRestore is true: a restore is always authenticated")
  }
  return { auth: auth && copyFunctions(auth), restoreAuth: copyFunctions(restoreAuth) }
}

function resolveEnabled (options: BackupOptions): ResolvedOptions {
  const { schema = 'public' } = options
  if (options.sql !== undefined && options.connection !== undefined) {
    throw new OptionInvalid("options 'sql' and 'connection' exclude each other; give one of them")
  }
  return {
    enabled: true,
    basePath: (options.basePath ?? '/admin/backup').replace(/\/$/, ''),
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
    ...requireAuth(options),
    actor: resolveActor(options.actor),
    storage: options.storage,
    worker: options.worker ?? true,
    limits: { rowBytes: options.limits?.rowBytes ?? 256 * mebibyte, manifestBytes: options.limits?.manifestBytes ?? 16 * mebibyte }
  }
}

/**
 * The one place that validates the options and decides their defaults. It does not change what it is given.
 * A plugin that is switched off needs no `auth`, so its functions are not looked at: their plugins may be off as well.
 * @throws FST_BACKUP_OPTION_INVALID, FST_BACKUP_AUTH_REQUIRED
 */
export function resolveOptions (options: unknown): ResolvedOptions | { enabled: false } {
  if (!isPlainObject(options)) throw new OptionInvalid('the options must be an object')
  if (options.enabled !== true) {
    const { auth, restoreAuth, ...others } = options
    assertOptions(others)
    return { enabled: false }
  }
  assertOptions(options)
  return resolveEnabled(options)
}
