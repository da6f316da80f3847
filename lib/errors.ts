import createError from '@fastify/error'

/**
 * Every error that leaves this library, in one table: a code, an HTTP status, a sentence that says what happened and what
 * to do next. Details that a caller needs to act on are properties: `problems`, `drift`. None ever carries row data.
 */

// Registration
export const OptionInvalid = createError<[string]>('FST_BACKUP_OPTION_INVALID', '%s', 500, TypeError)
export const AuthRequired = createError<[string]>('FST_BACKUP_AUTH_REQUIRED', '%s', 500)
export const AlreadyRegistered = createError('FST_BACKUP_ALREADY_REGISTERED', 'fastify-backup is registered on this instance already; register it once, or in an encapsulated child', 500)
export const Disabled = createError('FST_BACKUP_DISABLED', 'Backups are disabled; register fastify-backup with enabled: true', 503)

// Callers
export const ArgumentInvalid = createError<[string]>('FST_BACKUP_ARGUMENT_INVALID', '%s', 400)
export const NotAuthorized = createError<[string]>('FST_BACKUP_NOT_AUTHORIZED', '%s', 401)
export const CrossSite = createError('FST_BACKUP_CROSS_SITE', 'Refused, because the request comes from another site; call from the same origin, or from outside a browser', 403)
export const RestoreNotAllowed = createError('FST_BACKUP_RESTORE_NOT_ALLOWED', 'Restores are switched off; register fastify-backup with allowRestore: true', 403)
export const SchemaNotAllowed = createError<[string]>('FST_BACKUP_SCHEMA_NOT_ALLOWED', 'The schema %s may not be named here; see the option schemas', 403)
export const RouteNotFound = createError('FST_BACKUP_ROUTE_NOT_FOUND', 'There is no such route', 404)
export const NotFound = createError<[string]>('FST_BACKUP_NOT_FOUND', 'There is no backup %s', 404)
export const SchemaNotFound = createError<[string]>('FST_BACKUP_SCHEMA_NOT_FOUND', 'The database has no schema %s', 404)

// State
export const Busy = createError<[string]>('FST_BACKUP_BUSY', '%s; try again when it has ended', 409)
export const NotCompleted = createError<[string, string]>('FST_BACKUP_NOT_COMPLETED', 'The backup %s is %s; only a completed one has a snapshot to use', 409)
export const StorageTaken = createError<[string, string]>('FST_BACKUP_STORAGE_TAKEN', 'The storage belongs to another log of backups, whose marker %s was renewed at %s; give this service a storage of its own, or delete the marker when that other service is gone for good', 409)
export const FileGone = createError<[string]>('FST_BACKUP_FILE_GONE', 'The snapshot file %s is not in the storage any more; put it back, or delete the backup', 410)
export const RangeInvalid = createError<[number]>('FST_BACKUP_RANGE_INVALID', 'The range lies outside of the file, which has %d bytes', 416)
export const Aborted = createError<[string]>('FST_BACKUP_ABORTED', 'Aborted: %s', 499)
export const ShuttingDown = createError('FST_BACKUP_SHUTTING_DOWN', 'The service is shutting down', 503)

// Snapshots and restores
export const ImportInterrupted = createError<[string]>('FST_BACKUP_IMPORT_INTERRUPTED', 'The snapshot did not arrive as a whole (%s), and nothing was kept; send it again', 400)
export const ImportEncoded = createError('FST_BACKUP_IMPORT_ENCODED', 'The body has a content-encoding, and is taken only without: send the file as it was downloaded', 415)
export const LimitExceeded = createError<[string, string]>('FST_BACKUP_LIMIT_EXCEEDED', 'The snapshot was not taken in: %s is longer than option limits.%s; raise it for a file that you trust', 413)
export const SnapshotInvalid = createError<[string]>('FST_BACKUP_SNAPSHOT_INVALID', 'The snapshot file is damaged or was changed: %s', 422)
export const SchemaDrift = createError<[string]>('FST_BACKUP_SCHEMA_DRIFT', 'The schema has changed since the snapshot: %s; see drift, then migrate it or allow it with allowSchemaDrift', 422)
export const CannotSnapshot = createError<[string]>('FST_BACKUP_CANNOT_SNAPSHOT', 'No complete snapshot can be taken: %s', 422)
export const CannotRestore = createError<[string]>('FST_BACKUP_CANNOT_RESTORE', 'The restore was refused before anything was touched: %s', 422)
export const RestoreFailed = createError<[string]>('FST_BACKUP_RESTORE_FAILED', 'The restore failed and was rolled back, the data is as it was: %s', 422)
export const RestoreUncertain = createError<[string]>('FST_BACKUP_RESTORE_UNCERTAIN', 'Whether the COMMIT came through is not known, so the restore is either complete or undone, as a whole: %s; compare before you try again', 500)
export const LockTimeout = createError<[string]>('FST_BACKUP_LOCK_TIMEOUT', 'The tables could not be locked in time, because other transactions hold them: %s; end the long transactions, or try again later', 409)
export const CatalogUnstable = createError('FST_BACKUP_CATALOG_UNSTABLE', 'The schema kept changing while it was read; try again when the migration is over', 409)

// Surroundings
export const WorkerFailed = createError<[string]>('FST_BACKUP_WORKER_FAILED', 'The worker thread of the run ended early (%s), and the run with it; see the memory that the process has, or switch the option worker off', 500)
export const DatabaseUnavailable = createError<[string]>('FST_BACKUP_DATABASE_UNAVAILABLE', 'The database is not available (%s); the service recovers by itself when it is', 503)
export const DatabaseInsecure = createError<[string, string]>('FST_BACKUP_DATABASE_INSECURE', 'No secure connection to the database could be made (%s): %s', 500)
export const DatabaseFailed = createError<[string]>('FST_BACKUP_DATABASE_FAILED', 'The database refused: %s', 500)
export const LogUnusable = createError<[string]>('FST_BACKUP_LOG_UNUSABLE', 'The log table can not be used: %s', 500)
export const StorageFailed = createError<[string, string]>('FST_BACKUP_STORAGE_FAILED', 'The storage failed to %s (%s); see that storagePath is a directory that the service may write to', 500)
export const StorageMissing = createError('FST_BACKUP_STORAGE_MISSING', 'The storage is not the one that this log of backups knows: it holds neither its marker nor any of its snapshots, so nothing is written to it; mount it again, or call fastify.backup.rescan() to accept it as it is', 503)
export const StorageFull = createError<[string]>('FST_BACKUP_STORAGE_FULL', 'The storage is full: could not %s; free some space, or lower maxBackups', 507)
