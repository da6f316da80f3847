import { Type, type TSchema } from 'typebox'
import Value from 'typebox/value'
import type { BackupOptions, GuardOptions, KeepRules, LimitOptions, ScheduleOptions } from '../../types/index.ts'
import { OptionInvalid } from '../errors.ts'
import { isPossibleName } from '../postgres/identifiers.ts'

/** What an option takes, as a schema to check it and as words to name it in the error. */
interface OptionCheck { schema: TSchema, takes: string }

const takes = (words: string, schema: TSchema): OptionCheck => ({ schema, takes: words })

/** PostgreSQL keeps names that begin with pg_ for itself (manual, 5.10.6). */
export function isSystemSchema (name: string): boolean {
  return name.startsWith('pg_') || name === 'information_schema'
}

const isSchemaName = (value: unknown): boolean => typeof value === 'string' && isPossibleName(value) && !isSystemSchema(value)

export function isPlainObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

/** The promise of an async one says neither yes nor no, and the object of a generator neither. */
const isSyncFunction = (value: unknown): boolean => typeof value === 'function' && value.constructor.name === 'Function'

/** Fastify refuses such hooks as well (FST_ERR_HOOK_INVALID_ASYNC_HANDLER): the promise would pass the caller before done has its say. */
const isAuthFunction = (value: unknown): boolean =>
  typeof value === 'function' && !(value.constructor.name === 'AsyncFunction' && value.length > 2)

/** Spread first, because every() passes over the holes of an array. An empty inner list would let everybody in. */
const isAuthList = (value: unknown): boolean => Array.isArray(value) && [...value].every((entry: unknown) =>
  Array.isArray(entry) ? entry.length > 0 && [...entry].every(isAuthFunction) : isAuthFunction(entry))

function isPool (value: unknown): boolean {
  return typeof value === 'function' && 'begin' in value && 'reserve' in value && 'unsafe' in value && 'options' in value
}

const isConnection = (value: unknown): boolean =>
  typeof value === 'string' ? /^postgres(ql)?:\/\//.test(value) : isPlainObject(value)

function isStorage (value: unknown): boolean {
  return typeof value === 'object' && value !== null &&
    ['publish', 'open', 'stat', 'remove', 'list'].every((name) => isFunction(Reflect.get(value, name)))
}

function isTimeZone (value: unknown): boolean {
  try {
    return typeof value === 'string' && new Intl.DateTimeFormat('en', { timeZone: value }) !== null
  } catch {
    return false
  }
}

// Over Unknown, and never inside a Union: elsewhere TypeBox passes over a refinement
const checkedBy = (check: (value: unknown) => boolean): TSchema => Type.Refine(Type.Unknown(), check)

const Text = Type.String({ minLength: 1, pattern: '^[^\\u0000]*$' })
const SchemaNames = Type.Array(checkedBy(isSchemaName))

const TableNames = Type.Array(Type.String({ minLength: 1, maxLength: 127, pattern: '^[^\\u0000]*$' }))

const aSchema = 'the name of a schema that is no system schema, 1 to 63 bytes'
const authFunctions = 'a list of @fastify/auth functions, or of non-empty lists of them; async ones must not take done as well, and an undefined one is decorated only when its plugin was awaited'

const optionChecks: Record<keyof BackupOptions, OptionCheck> = {
  enabled: takes('true or false', Type.Boolean()),
  basePath: takes("a path such as '/admin/backup', without ':' and '*', and not '/' itself", Type.String({ pattern: '^(?:/[^/:*?#%\\\\\\s]+)+/?$' })),
  storagePath: takes('the path of a directory', Text),
  format: takes("'json'", Type.Literal('json')),
  maxBackups: takes('a whole number from 1 to 100000', Type.Integer({ minimum: 1, maximum: 100_000 })),
  retention: takes('an object', checkedBy(isPlainObject)),
  guard: takes('an object, or false', checkedBy((value) => value === false || isPlainObject(value))),
  allowRestore: takes('true or false', Type.Boolean()),
  excludeTables: takes("a list of tables, 'name' or 'schema.name'", TableNames),
  schedule: takes('an object', checkedBy(isPlainObject)),
  sql: takes('a postgres.js instance', checkedBy(isPool)),
  connection: takes("a URL such as 'postgres://user:password@host:5432/database', or the options of postgres.js", checkedBy(isConnection)),
  schema: takes(aSchema, checkedBy(isSchemaName)),
  schemas: takes('a list of schemas that are no system schemas, or a function (name, request) => boolean that is not async', checkedBy((value) => isSyncFunction(value) || Value.Check(SchemaNames, value))),
  logSchema: takes(aSchema, checkedBy(isSchemaName)),
  auth: takes(`${authFunctions}; or false`, checkedBy((value) => value === false || isAuthList(value))),
  restoreAuth: takes(authFunctions, checkedBy(isAuthList)),
  actor: takes('a function (request) => string', checkedBy(isFunction)),
  worker: takes('true or false', Type.Boolean()),
  limits: takes('an object', checkedBy(isPlainObject)),
  storage: takes('an object with the functions publish, open, stat, remove and list', checkedBy(isStorage))
}

const scheduleChecks: Record<keyof ScheduleOptions, OptionCheck> = {
  enabled: takes('true or false', Type.Boolean()),
  cron: takes("a cron expression such as '0 2 * * *'", Text),
  retentionDays: takes('a whole number from 1 to 36500', Type.Integer({ minimum: 1, maximum: 36_500 })),
  mode: takes("'interval' or 'calendar'", Type.Enum(['interval', 'calendar'])),
  timezone: takes("an IANA time zone such as 'Europe/Berlin'", checkedBy(isTimeZone)),
  schemas: takes('a list of at least one schema, none of them a system schema, or a function that returns one', checkedBy((value) => isFunction(value) || Value.Check(Type.Array(checkedBy(isSchemaName), { minItems: 1 }), value))),
  concurrency: takes('a whole number from 1 to 64', Type.Integer({ minimum: 1, maximum: 64 }))
}

const guardChecks: Record<keyof GuardOptions, OptionCheck> = {
  shrink: takes('a number from 0 to less than 1', Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
  minRows: takes('a whole number of 1 or more', Type.Integer({ minimum: 1 })),
  window: takes('a whole number from 1 to 1000', Type.Integer({ minimum: 1, maximum: 1000 })),
  ignoreTables: takes('a list of tables', TableNames)
}

const aCount = takes('a whole number from 1 to 100000', Type.Integer({ minimum: 1, maximum: 100_000 }))
const retentionChecks: Record<keyof KeepRules, OptionCheck> = { hourly: aCount, daily: aCount, weekly: aCount, monthly: aCount, yearly: aCount }

const aSize = takes('a whole number of bytes from 1 on', Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
const limitChecks: Record<keyof LimitOptions, OptionCheck> = { rowBytes: aSize, manifestBytes: aSize }

function checkAll (options: object, checks: Record<string, OptionCheck>, path: string): void {
  const given: Array<[string, unknown]> = Object.entries(options)
  for (const [name, value] of given) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) {
      throw new OptionInvalid(`there is no option '${path}${name}'; there are ${Object.keys(checks).join(', ')}`)
    }
    if (value !== undefined && !Value.Check(check.schema, value)) {
      throw new OptionInvalid(`option '${path}${name}' must be ${check.takes}`)
    }
  }
}

/**
 * Throws FST_BACKUP_OPTION_INVALID for an option that does not exist or has a wrong type. The message never has the value,
 * which may be a password.
 */
export function assertOptions (options: object): asserts options is BackupOptions {
  // fastify.register() has an option of this name, which the plugin would see and Fastify ignore
  if ('prefix' in options) throw new OptionInvalid("there is no option 'prefix'; use basePath")
  checkAll(options, optionChecks, '')
  const { schedule, guard, retention, limits } = options as BackupOptions
  if (schedule !== undefined) checkAll(schedule, scheduleChecks, 'schedule.')
  if (guard !== undefined && guard !== false) checkAll(guard, guardChecks, 'guard.')
  if (retention !== undefined) checkAll(retention, retentionChecks, 'retention.')
  if (limits !== undefined) checkAll(limits, limitChecks, 'limits.')
}
