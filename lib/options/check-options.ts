import { Type, type TSchema } from 'typebox'
import Value from 'typebox/value'
import type {
  BackupOptions, CompressionOptions, FixedRouteOption, GuardOptions, KeepRules, LimitOptions, OpenapiOptions,
  ScheduleOptions, UiOptions
} from '../../types/index.ts'
import { OptionInvalid } from '../errors.ts'
import { isPossibleName, isSystemSchema } from '../postgres/identifiers.ts'
import { assertDriverOptions } from './driver-options.ts'

/** The valid values of an option: a schema, and its description for the error message. */
interface OptionCheck { schema: TSchema, expected: string }

const expect = (expected: string, schema: TSchema): OptionCheck => ({ schema, expected })

const isSchemaName = (value: unknown): boolean =>
  typeof value === 'string' && isPossibleName(value) && !isSystemSchema(value)

export function isPlainObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

/** Excludes async and generator functions: a promise or a generator object is neither true nor false. */
const isSyncFunction = (value: unknown): boolean => typeof value === 'function' && value.constructor.name === 'Function'

/**
 * Excludes async functions that declare done: their promise would let the caller pass before done is called. Fastify
 * rejects such hooks as well (FST_ERR_HOOK_INVALID_ASYNC_HANDLER).
 */
const isAuthFunction = (value: unknown): boolean =>
  typeof value === 'function' && !(value.constructor.name === 'AsyncFunction' && value.length > 2)

/** Spreads the array because every() skips its holes. An empty inner list would let every caller pass. */
const isAuthList = (value: unknown): boolean => Array.isArray(value) && [...value].every((entry: unknown) =>
  Array.isArray(entry) ? entry.length > 0 && [...entry].every(isAuthFunction) : isAuthFunction(entry))

function isPool (value: unknown): boolean {
  return typeof value === 'function' && ['begin', 'reserve', 'unsafe', 'options'].every((name) => name in value)
}

const isConnection = (value: unknown): boolean =>
  typeof value === 'string' ? /^postgres(ql)?:\/\//.test(value) : isPlainObject(value)

function isStorage (value: unknown): boolean {
  return typeof value === 'object' && value !== null &&
    ['publish', 'open', 'stat', 'remove', 'list'].every((name) => isFunction(Reflect.get(value, name)))
}

/** Excludes `null`, which browsers send for sandboxed pages and files of anyone, and everything that is no origin. */
const isOrigin = (value: unknown): boolean =>
  typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value

const fixedRouteOptions: Array<FixedRouteOption | 'method' | 'url' | 'path' | 'handler' | 'compress' | 'prefix'> = [
  'schema', 'attachValidation', 'validatorCompiler', 'serializerCompiler', 'schemaErrorFormatter', 'errorHandler',
  'handlerTimeout', 'exposeHeadRoute', 'prefixTrailingSlash', 'method', 'url', 'path', 'handler', 'compress', 'prefix'
]

const isRouteOptions = (value: unknown): boolean => isPlainObject(value) &&
  fixedRouteOptions.every((name) => !(name in value)) && (value.config === undefined || isPlainObject(value.config))

function isTimeZone (value: unknown): boolean {
  try {
    return typeof value === 'string' && new Intl.DateTimeFormat('en', { timeZone: value }) !== null
  } catch {
    return false
  }
}

// TypeBox ignores a refinement of other types than Unknown, and inside a Union
const checkedBy = (check: (value: unknown) => boolean): TSchema => Type.Refine(Type.Unknown(), check)

const Text = Type.String({ minLength: 1, pattern: '^[^\\u0000]*$' })
const SchemaNames = Type.Array(checkedBy(isSchemaName))

const TableNames = Type.Array(Type.String({ minLength: 1, maxLength: 127, pattern: '^[^\\u0000]*$' }))

const aSchema = 'the name of a schema that is not a system schema, 1 to 63 bytes'
const authFunctions = 'a list of @fastify/auth functions, such as [app.verifyAdmin], or of non-empty lists of them. ' +
  'A function that another plugin adds is undefined until its plugin was awaited; an async one must not declare ' +
  'done as well'
const schemaBounds = 'a list of schemas that are not system schemas, or a function (name, request) => boolean that ' +
  'is not async'
const scheduledSchemas = 'a list of at least one schema, none of them a system schema, or a function that returns one'

const BasePath = Type.String({ pattern: '^(?:/[^/:*?#%\\\\\\s]+)+/?$' })
const AuthList = checkedBy(isAuthList)
const AuthListOrFalse = checkedBy((value) => value === false || isAuthList(value))
const SchemaBounds = checkedBy((value) => isSyncFunction(value) || Value.Check(SchemaNames, value))
const NonEmptySchemaNames = Type.Array(checkedBy(isSchemaName), { minItems: 1 })
const ScheduledSchemas = checkedBy((value) => isFunction(value) || Value.Check(NonEmptySchemaNames, value))
const Origins = Type.Array(checkedBy(isOrigin))
const CompressionType = Type.Enum(['none', 'gzip', 'zstd'])
const Count = Type.Integer({ minimum: 1, maximum: 100_000 })

const optionChecks: Record<keyof BackupOptions, OptionCheck> = {
  enabled: expect('true or false', Type.Boolean()),
  basePath: expect("a path such as '/admin/backup', without ':' and '*', and not '/' itself", BasePath),
  storagePath: expect('the path of a directory', Text),
  format: expect("'json'", Type.Literal('json')),
  maxBackups: expect('a whole number from 1 to 100000', Count),
  retention: expect('an object', checkedBy(isPlainObject)),
  guard: expect('an object, or false', checkedBy((value) => value === false || isPlainObject(value))),
  allowRestore: expect('true or false', Type.Boolean()),
  excludeTables: expect("a list of tables, 'name' or 'schema.name'", TableNames),
  schedule: expect('an object', checkedBy(isPlainObject)),
  sql: expect('a postgres.js instance', checkedBy(isPool)),
  connection: expect(
    "a URL such as 'postgres://user:password@host:5432/database', or the options of postgres.js",
    checkedBy(isConnection)
  ),
  schema: expect(aSchema, checkedBy(isSchemaName)),
  schemas: expect(schemaBounds, SchemaBounds),
  logSchema: expect(aSchema, checkedBy(isSchemaName)),
  auth: expect(`false, or ${authFunctions}`, AuthListOrFalse),
  restoreAuth: expect(authFunctions, AuthList),
  routes: expect('true or false', Type.Boolean()),
  routeOptions: expect(
    `an object of Fastify's route options, without ${fixedRouteOptions.join(', ')}`, checkedBy(isRouteOptions)
  ),
  allowedOrigins: expect(
    "a list of origins as browsers send them, such as 'https://admin.example.com': without a path and a default " +
      "port, and not 'null'",
    Origins
  ),
  logLevel: expect("the name of a log level, such as 'warn'", Text),
  logSerializers: expect('an object of functions', checkedBy(isPlainObject)),
  actor: expect('a function (request) => string', checkedBy(isFunction)),
  worker: expect('true or false', Type.Boolean()),
  connections: expect('a whole number from 1 to 8', Type.Integer({ minimum: 1, maximum: 8 })),
  compression: expect("'none', 'gzip', 'zstd', or an object with a type and a level",
    checkedBy((value) => isPlainObject(value) || Value.Check(CompressionType, value))),
  limits: expect('an object', checkedBy(isPlainObject)),
  openapi: expect('an object', checkedBy(isPlainObject)),
  ui: expect('true, false or an object', checkedBy((value) => typeof value === 'boolean' || isPlainObject(value))),
  storage: expect('an object with the functions publish, open, stat, remove and list', checkedBy(isStorage))
}

const scheduleChecks: Record<keyof ScheduleOptions, OptionCheck> = {
  enabled: expect('true or false', Type.Boolean()),
  cron: expect("a cron expression such as '0 2 * * *'", Text),
  retentionDays: expect('a whole number from 1 to 36500', Type.Integer({ minimum: 1, maximum: 36_500 })),
  mode: expect("'interval' or 'calendar'", Type.Enum(['interval', 'calendar'])),
  timezone: expect("an IANA time zone such as 'Europe/Berlin'", checkedBy(isTimeZone)),
  schemas: expect(scheduledSchemas, ScheduledSchemas),
  concurrency: expect('a whole number from 1 to 64', Type.Integer({ minimum: 1, maximum: 64 }))
}

const compressionChecks: Record<keyof CompressionOptions, OptionCheck> = {
  type: expect("'none', 'gzip' or 'zstd'", CompressionType),
  level: expect("a whole number from 1 to 19, or up to 9 for 'gzip'", Type.Integer({ minimum: 1, maximum: 19 }))
}
const largestGzipLevel = 9

function assertCompression (compression: CompressionOptions): void {
  checkAll(compression, compressionChecks, 'compression.')
  const { type, level = 1 } = compression
  const refuse = (name: keyof CompressionOptions): never => {
    throw new OptionInvalid(`option 'compression.${name}' must be ${compressionChecks[name].expected}`)
  }
  if (type === undefined) refuse('type')
  if (type === 'gzip' && level > largestGzipLevel) refuse('level')
}

const guardChecks: Record<keyof GuardOptions, OptionCheck> = {
  shrink: expect('a number from 0 to less than 1', Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
  minRows: expect('a whole number of 1 or more', Type.Integer({ minimum: 1 })),
  window: expect('a whole number from 1 to 1000', Type.Integer({ minimum: 1, maximum: 1000 })),
  ignoreTables: expect('a list of tables', TableNames)
}

const aCount = expect('a whole number from 1 to 100000', Count)
const retentionChecks: Record<keyof KeepRules, OptionCheck> = {
  hourly: aCount, daily: aCount, weekly: aCount, monthly: aCount, yearly: aCount
}

const Size = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const aSize = expect('a whole number of bytes, 1 or more', Size)
const limitChecks: Record<keyof LimitOptions, OptionCheck> = { rowBytes: aSize, manifestBytes: aSize }

const SecurityRequirements = Type.Array(Type.Record(Type.String(), Type.Array(Type.String())))
const openapiChecks: Record<keyof OpenapiOptions, OptionCheck> = {
  security: expect('a list of security requirements, such as [{ bearer: [] }]', SecurityRequirements)
}

const uiChecks: Record<keyof UiOptions, OptionCheck> = {
  public: expect('true or false', Type.Boolean()),
  title: expect('a text of 1 to 60 characters', Type.String({ minLength: 1, maxLength: 60 })),
  accent: expect("a color, '#rgb' or '#rrggbb'", Type.String({ pattern: '^#(?:[0-9a-fA-F]{3}){1,2}$' })),
  logo: expect('the path of an SVG, PNG, JPEG or WebP file', Type.String({ pattern: '\\.(?:svg|png|jpe?g|webp)$' }))
}

/** Options that contain others, whose names a reader may take for options of their own. */
const groups: Array<[string, Record<string, OptionCheck>]> = [
  ['schedule', scheduleChecks], ['guard', guardChecks], ['retention', retentionChecks], ['limits', limitChecks],
  ['compression', compressionChecks],
  ['ui', uiChecks]
]

function refuseUnknown (path: string, name: string, checks: Record<string, OptionCheck>): never {
  const [group] = (path === '' ? groups : []).find(([, inner]) => Object.hasOwn(inner, name)) ?? []
  const advice = group === undefined ? `there are ${Object.keys(checks).join(', ')}` : `use ${group}.${name}`
  throw new OptionInvalid(`there is no option '${path}${name}'; ${advice}`)
}

function checkAll (options: object, checks: Record<string, OptionCheck>, path: string): void {
  const given: Array<[string, unknown]> = Object.entries(options)
  for (const [name, value] of given) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) return refuseUnknown(path, name, checks)
    if (value !== undefined && !Value.Check(check.schema, value)) {
      throw new OptionInvalid(`option '${path}${name}' must be ${check.expected}`)
    }
  }
}

/**
 * Throws FST_BACKUP_OPTION_INVALID for an unknown option or a value of the wrong type. The message never contains the
 * value, which may be a password.
 */
export function assertOptions (options: object): asserts options is BackupOptions {
  checkAll(options, optionChecks, '')
  const { connection, schedule, guard, retention, limits, openapi, ui, compression } = options as BackupOptions
  if (typeof connection === 'object') assertDriverOptions(connection)
  if (schedule !== undefined) checkAll(schedule, scheduleChecks, 'schedule.')
  if (guard !== undefined && guard !== false) checkAll(guard, guardChecks, 'guard.')
  if (retention !== undefined) checkAll(retention, retentionChecks, 'retention.')
  if (typeof compression === 'object') assertCompression(compression)
  if (limits !== undefined) checkAll(limits, limitChecks, 'limits.')
  if (openapi !== undefined) checkAll(openapi, openapiChecks, 'openapi.')
  if (typeof ui === 'object') checkAll(ui, uiChecks, 'ui.')
}
