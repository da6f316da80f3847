import type { FastifyRequest, LogLevel, RegisterOptions, RouteShorthandOptions } from 'fastify'
import type { FastifyAuthFunction } from '@fastify/auth'
import type { Options as PostgresOptions, PostgresType, Sql } from 'postgres'
import type { SnapshotStorage } from './storage.ts'

export type AuthFunctions = Array<FastifyAuthFunction | FastifyAuthFunction[]>

export interface ScheduleOptions {
  /** Run the scheduler. @defaultValue false */
  enabled?: boolean | undefined
  /** Five cron fields. In interval mode, only a step in the hour or minute field is used. @defaultValue '0 2 * * *' */
  cron?: string | undefined
  /** How long scheduled snapshots are kept, in days. @defaultValue 30 */
  retentionDays?: number | undefined
  /**
   * `interval`: every N hours, every N minutes, or daily, counted from the Unix epoch. `calendar`: full cron semantics.
   * @defaultValue 'interval'
   */
  mode?: 'interval' | 'calendar' | undefined
  /** IANA time zone of the calendar mode. @defaultValue 'UTC' */
  timezone?: string | undefined
  /** Schemas to back up at each slot, or a function that returns them. @defaultValue [schema] */
  schemas?: string[] | (() => string[] | Promise<string[]>) | undefined
  /** Schemas backed up at the same time. @defaultValue 2 */
  concurrency?: number | undefined
}

/** How snapshots are compressed. */
export interface CompressionOptions {
  type: 'none' | 'gzip' | 'zstd'
  /** `gzip`: 1 to 9. `zstd`: 1 to 19. Higher levels are slower. @defaultValue gzip: 6, zstd: 3 */
  level?: number | undefined
}

/** When a snapshot is suspect, compared with the earlier full snapshots. */
export interface GuardOptions {
  /** The fraction of its rows that a table may lose, from 0 to less than 1: 0.5 is half of them. @defaultValue 0.5 */
  shrink?: number | undefined
  /** Tables with fewer rows than this are not compared. @defaultValue 100 */
  minRows?: number | undefined
  /** The number of snapshots that a new one is compared with. @defaultValue 7 */
  window?: number | undefined
  /** Tables that may lose any number of rows, such as job queues and caches. @defaultValue [] */
  ignoreTables?: string[] | undefined
}

/**
 * For each kind of period, the number N of periods whose newest snapshot is kept, in addition to `maxBackups` and
 * regardless of its age. Only periods that have a snapshot count, and periods are in UTC. These are the keep rules of
 * restic (restic manual, "Removing backup snapshots").
 */
export interface KeepRules {
  hourly?: number | undefined
  daily?: number | undefined
  weekly?: number | undefined
  monthly?: number | undefined
  yearly?: number | undefined
}

/**
 * Limits for files that this service did not write: an import, or a file in the storage without a log row. Snapshots
 * that the service takes are not limited.
 */
export interface LimitOptions {
  /**
   * Maximum size of a row in the file, in bytes. The service needs memory for about three rows. @defaultValue 256 MiB
   */
  rowBytes?: number | undefined
  /** Maximum size of the manifest, in bytes. @defaultValue 16 MiB */
  manifestBytes?: number | undefined
}

/**
 * Options that the app adds to every route: `config`, hooks, `bodyLimit`, `constraints`, and what other plugins read
 * from a route. The routes keep their schemas, handlers, compilers and error handlers.
 */
export type RouteOptions = Omit<RouteShorthandOptions, FixedRouteOption>

/** What the routes define themselves. */
export type FixedRouteOption = 'schema' | 'attachValidation' | 'validatorCompiler' | 'serializerCompiler' |
  'schemaErrorFormatter' | 'errorHandler' | 'handlerTimeout' | 'exposeHeadRoute' | 'prefixTrailingSlash'

/** A security requirement of OpenAPI: the name of a security scheme, and the scopes that it needs. */
export type SecurityRequirement = Record<string, string[]>

/** How the routes are described in the OpenAPI document that @fastify/swagger makes. */
export interface OpenapiOptions {
  /**
   * The security requirements of every route, any of which is sufficient. The schemes are those that @fastify/swagger
   * is given as `components.securitySchemes`, or as `securityDefinitions` for Swagger 2.0.
   * @defaultValue those of the document
   */
  security?: SecurityRequirement[] | undefined
}

/** The admin page. Everything that it shows comes from the routes, which stay behind `auth`. */
export interface UiOptions {
  /**
   * Whether the page itself, which contains no data, is served without `auth`. It then asks for a bearer token, and
   * keeps it in memory only. `false`: `auth` also protects the page, which works with cookies and Basic credentials,
   * because browsers send these by themselves. @defaultValue false
   */
  public?: boolean | undefined
  /** The name of the page, up to 60 characters. @defaultValue 'Backups' */
  title?: string | undefined
  /**
   * The color of buttons and links: `#rgb` or `#rrggbb`. Where its contrast would be too low (WCAG 2.2, 1.4.3), the
   * page uses a lighter or darker shade of it. @defaultValue '#2f6f4f'
   */
  accent?: string | undefined
  /** The path of an SVG, PNG, JPEG or WebP file of at most 256 KiB, read at registration. @defaultValue none */
  logo?: string | undefined
}

/**
 * What the service logs to: pino, `fastify.log`, or any object with these methods, such as `console`. Entries never
 * contain row data.
 */
export interface BackupLogger {
  debug: (details: object | string, message?: string) => void
  info: (details: object | string, message?: string) => void
  warn: (details: object | string, message?: string) => void
  error: (details: object | string, message?: string) => void
}

export interface BackupOptions {
  /** Mount the service and its routes. @defaultValue false */
  enabled?: boolean | undefined
  /** Prefix of the routes. @defaultValue '/admin/backup' */
  basePath?: string | undefined
  /** Directory of the snapshot files. @defaultValue './backups' */
  storagePath?: string | undefined
  /** The format of the snapshots. Only `json` is supported. @defaultValue 'json' */
  format?: 'json' | undefined
  /** Snapshots kept per schema; older ones are pruned. @defaultValue 50 */
  maxBackups?: number | undefined
  /** Keeps, in addition to `maxBackups`, the newest snapshot of each of the last N periods. @defaultValue none */
  retention?: KeepRules | undefined
  /**
   * When a snapshot is suspect, in which case earlier snapshots are held. `false`: no snapshot is compared or held.
   * @defaultValue see GuardOptions
   */
  guard?: GuardOptions | false | undefined
  /** Whether any caller may restore snapshots. @defaultValue false */
  allowRestore?: boolean | undefined
  /** Excluded tables, `name` or `schema.name`. @defaultValue ['audit_logs', 'backup_logs'] */
  excludeTables?: string[] | undefined
  schedule?: ScheduleOptions | undefined
  /** A postgres.js instance that the application owns and closes; its `max` must be 2 or more. */
  sql?: Sql | undefined
  /**
   * A URL or postgres.js options; other options are refused. The plugin connects on demand and closes the connections.
   * @defaultValue DATABASE_URL, then PG*
   */
  connection?: string | PostgresOptions<Record<string, PostgresType>> | undefined
  /** The schema to back up when a call specifies none. @defaultValue 'public' */
  schema?: string | undefined
  /**
   * Schemas that callers may name, and whose backups they may see, read, restore and delete. A call for a backup of
   * any other schema fails with 404. A function is called for each schema: with the request over HTTP, without one
   * for calls by code. Any result except `true` denies access, including a promise. The schedule, retention and
   * rescans are not restricted.
   * @defaultValue all schemas except system schemas
   */
  schemas?: string[] | ((name: string, request?: FastifyRequest) => boolean) | undefined
  /** The existing schema that contains `backup_logs`. @defaultValue schema */
  logSchema?: string | undefined
  /** @fastify/auth functions, all of which must pass. `false`: something else protects the routes. */
  auth?: AuthFunctions | false | undefined
  /**
   * Further functions, required in addition to `auth` to restore, import, delete, unpin, and to change `accepted`.
   */
  restoreAuth?: AuthFunctions | undefined
  /** Whether to add the routes. `false`: the service has no routes, and `auth` is not needed. @defaultValue true */
  routes?: boolean | undefined
  /**
   * Options for every route, such as `config` for other plugins, and hooks. All hooks run after `auth` and, on the
   * routes that require it, after `restoreAuth`. @defaultValue none
   */
  routeOptions?: RouteOptions | undefined
  /**
   * Origins, such as `https://admin.example.com`, whose pages may send requests that are not only reading. Requests
   * with `Authorization: Bearer` and without a cookie need no permission. @defaultValue the origin of the request
   */
  allowedOrigins?: string[] | undefined
  /** The log level of the routes, as for every Fastify plugin. @defaultValue the level of the app */
  logLevel?: LogLevel
  /** Serializers for the log lines of the routes, as for every Fastify plugin. @defaultValue those of the app */
  logSerializers?: NonNullable<RegisterOptions['logSerializers']>
  /** Returns the name of the caller. @defaultValue id, sub or email of request.user */
  actor?: ((request: FastifyRequest) => string) | undefined
  /**
   * Whether to take and restore snapshots in a worker thread, so that the event loop of the service is not blocked. The
   * snapshot of a small schema (at most 50 tables and 1 MiB) is taken in the main thread in any case. The main thread
   * is used, with a warning, in a bundle, and if the connection cannot be recreated in a worker (it has a `socket`, or
   * a function in `ssl`). @defaultValue true
   */
  worker?: boolean | undefined
  /**
   * How many connections read the large tables of a backup at the same time, 1 to 8: all from the same snapshot. The
   * further ones are opened for the time of the backup, in addition to those of the pool. One connection is used when
   * they cannot be opened, when another session waits for a lock on a table, and behind a connection pooler. The file
   * is the same. @defaultValue 1
   */
  connections?: number | undefined
  /**
   * How the files of snapshots are compressed: `gzip`, `zstd` (Node.js 22.15 or newer), or one of them with a level.
   * Files of every kind can be read whatever this says. @defaultValue 'none'
   */
  compression?: CompressionOptions['type'] | CompressionOptions | undefined
  limits?: LimitOptions | undefined
  openapi?: OpenapiOptions | undefined
  /** Whether to serve the admin page at `{basePath}/ui/`, and its settings. @defaultValue false */
  ui?: boolean | UiOptions | undefined
  /** The storage of the snapshot files. @defaultValue the file system, below storagePath */
  storage?: SnapshotStorage | undefined
}

/** The options of the plugin that do not concern HTTP. */
export type BackupServiceOptions = Pick<BackupOptions,
  'storagePath' | 'format' | 'maxBackups' | 'retention' | 'guard' | 'allowRestore' | 'excludeTables' | 'schedule' |
  'sql' | 'connection' | 'schema' | 'schemas' | 'logSchema' | 'worker' | 'connections' |
  'compression' | 'limits' | 'storage'
>
