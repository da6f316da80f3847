import createError from '@fastify/error'

/**
 * Defines a code and a status first, then a message that takes one detail for each `%s` or `%d`. Everything that this
 * file exports is an error class, because worker/portable-error.ts constructs one of each.
 */
const define = <const Code extends string>(code: Code, statusCode: number, Base?: ErrorConstructor) =>
  <Details extends unknown[] = []>(message: string) =>
    createError<`FST_BACKUP_${Code}`, Details>(`FST_BACKUP_${code}`, message, statusCode, Base)

/**
 * All errors that this library throws. Each has a code, an HTTP status, and a message that says what happened and,
 * where the caller can act, what to do next. Details that the caller needs are properties: `problems`, `drift`. No
 * error contains row data.
 */

// Registration
export const OptionInvalid = define('OPTION_INVALID', 500, TypeError)<[string]>('%s')
export const AuthRequired = define('AUTH_REQUIRED', 500)<[string]>('%s')
export const AlreadyRegistered = define('ALREADY_REGISTERED', 500)(
  'fastify-backup is already registered on this instance; register it once, or in an encapsulated child'
)
export const Disabled = define('DISABLED', 503)('Backups are disabled; register fastify-backup with enabled: true')

// Callers
export const ArgumentInvalid = define('ARGUMENT_INVALID', 400)<[string]>('%s')
export const NotAuthorized = define('NOT_AUTHORIZED', 401)<[string]>('%s')
export const CrossSite = define('CROSS_SITE', 403)(
  'The request comes from a page of another site and was refused; add its origin to the option allowedOrigins, or ' +
  'send Authorization: Bearer without a cookie'
)
export const RestoreNotAllowed = define('RESTORE_NOT_ALLOWED', 403)(
  'Restores are disabled; register fastify-backup with allowRestore: true'
)
export const SchemaNotAllowed = define('SCHEMA_NOT_ALLOWED', 403)<[string]>(
  'The caller may not use the schema %s; see the option schemas'
)
export const RouteNotFound = define('ROUTE_NOT_FOUND', 404)('The route does not exist')
export const NotFound = define('NOT_FOUND', 404)<[string]>('There is no backup %s')
export const SchemaNotFound = define('SCHEMA_NOT_FOUND', 404)<[string]>('The database has no schema %s')

// State
export const Busy = define('BUSY', 409)<[string]>('%s; try again when it has ended')
export const NotCompleted = define('NOT_COMPLETED', 409)<[string, string]>(
  'The backup %s is %s; only a completed backup has a snapshot'
)
export const StorageTaken = define('STORAGE_TAKEN', 409)<[string, string]>(
  'The storage belongs to another backup log, which renewed its marker %s at %s; use a different storage for this ' +
  'service, or delete the marker if the other service no longer exists'
)
export const FileGone = define('FILE_GONE', 410)<[string]>(
  'The snapshot file %s is no longer in the storage; put it back, or delete the backup'
)
export const RangeInvalid = define('RANGE_INVALID', 416)<[number]>('The range is outside the file, which has %d bytes')
export const Aborted = define('ABORTED', 499)<[string]>('Aborted: %s')
export const TooManyStreams = define('TOO_MANY_STREAMS', 503)(
  'This process already serves as many event streams as it may; close some, or try again later'
)
export const ShuttingDown = define('SHUTTING_DOWN', 503)('The service is shutting down')

// Snapshots and restores
export const ImportInterrupted = define('IMPORT_INTERRUPTED', 400)<[string]>(
  'The snapshot did not arrive completely (%s), and nothing was kept; send it again'
)
export const ImportEncoded = define('IMPORT_ENCODED', 415)(
  'An import accepts no content-encoding except gzip and zstd; send the file as it was downloaded'
)
export const ImportContentType = define('IMPORT_CONTENT_TYPE', 415)(
  'An import accepts the file itself as the body, as application/json, application/gzip, application/zstd or ' +
  "application/octet-stream, and no form; with curl: -X POST -H 'content-type: application/json' -T snapshot.json"
)
export const CompressionUnsupported = define('COMPRESSION_UNSUPPORTED', 501)(
  'The snapshot is compressed with Zstandard, which this version of Node.js cannot read; use 22.15 or a newer one, ' +
  'or decompress the file with zstd -d'
)
export const LimitExceeded = define('LIMIT_EXCEEDED', 413)<[string, string]>(
  'The snapshot was not imported: %s is longer than option limits.%s; raise the limit for a file that you trust'
)
export const SnapshotInvalid = define('SNAPSHOT_INVALID', 422)<[string]>(
  'The snapshot file is damaged or was changed: %s'
)
export const SchemaDrift = define('SCHEMA_DRIFT', 422)<[string]>(
  'The schema has changed since the snapshot: %s; see drift, then migrate it or allow it with allowSchemaDrift'
)
export const CannotSnapshot = define('CANNOT_SNAPSHOT', 422)<[string]>('No complete snapshot can be taken: %s')
export const CannotRestore = define('CANNOT_RESTORE', 422)<[string]>(
  'The restore was refused before it changed anything: %s'
)
export const RestoreFailed = define('RESTORE_FAILED', 422)<[string]>(
  'The restore failed and was rolled back; the data is unchanged: %s'
)
export const RestoreUncertain = define('RESTORE_UNCERTAIN', 500)<[string]>(
  'The outcome of the COMMIT is unknown, so the restore is either complete or completely rolled back: %s; compare ' +
  'the data before you try again'
)
export const LockTimeout = define('LOCK_TIMEOUT', 409)<[string]>(
  'The tables could not be locked in time, because other transactions have locked them: %s; end the long ' +
  'transactions, or try again later'
)
export const CatalogUnstable = define('CATALOG_UNSTABLE', 409)(
  'The schema kept changing while it was read; try again when the migration has finished'
)

// Environment
export const WorkerFailed = define('WORKER_FAILED', 500)<[string]>(
  'The worker thread of the run ended early (%s), and the run failed with it; check how much memory the process has, ' +
  'or set the option worker to false'
)
export const DatabaseUnavailable = define('DATABASE_UNAVAILABLE', 503)<[string]>(
  'The database is not available (%s); check its address and its state, or try again later'
)
export const DatabaseInsecure = define('DATABASE_INSECURE', 500)<[string, string]>(
  'No secure connection to the database could be made (%s): %s'
)
export const DatabaseFailed = define('DATABASE_FAILED', 500)<[string]>('The database reported an error: %s')
export const LogUnusable = define('LOG_UNUSABLE', 500)<[string]>('The log table cannot be used: %s')
export const StorageFailed = define('STORAGE_FAILED', 500)<[string, string]>(
  'The storage failed to %s (%s); check that storagePath is a directory that the service may write to'
)
export const StorageMissing = define('STORAGE_MISSING', 503)(
  'The storage of this backup log is missing: the present one contains neither the marker of the log nor any of its ' +
  'snapshots, so nothing is written; mount it again, or call fastify.backup.rescan() to accept the present one'
)
export const StorageFull = define('STORAGE_FULL', 507)<[string]>(
  'The storage is full: could not %s; free some space, or reduce maxBackups'
)

/** A bug in this library, or an exception in a function that the application passed to it. */
export const Unexpected = define('UNEXPECTED', 500)<[string]>('An unexpected error occurred (%s); see its stack')
