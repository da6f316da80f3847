import t from 'tap'
import * as errors from '../lib/errors.ts'

// Codes and statuses are part of the API, so that this test fails when one is added, changed or removed.
const expected: Record<keyof typeof errors, [code: string, statusCode: number]> = {
  OptionInvalid: ['FST_BACKUP_OPTION_INVALID', 500],
  AuthRequired: ['FST_BACKUP_AUTH_REQUIRED', 500],
  AlreadyRegistered: ['FST_BACKUP_ALREADY_REGISTERED', 500],
  Disabled: ['FST_BACKUP_DISABLED', 503],
  ArgumentInvalid: ['FST_BACKUP_ARGUMENT_INVALID', 400],
  NotAuthorized: ['FST_BACKUP_NOT_AUTHORIZED', 401],
  CrossSite: ['FST_BACKUP_CROSS_SITE', 403],
  RestoreNotAllowed: ['FST_BACKUP_RESTORE_NOT_ALLOWED', 403],
  SchemaNotAllowed: ['FST_BACKUP_SCHEMA_NOT_ALLOWED', 403],
  RouteNotFound: ['FST_BACKUP_ROUTE_NOT_FOUND', 404],
  NotFound: ['FST_BACKUP_NOT_FOUND', 404],
  SchemaNotFound: ['FST_BACKUP_SCHEMA_NOT_FOUND', 404],
  Busy: ['FST_BACKUP_BUSY', 409],
  NotCompleted: ['FST_BACKUP_NOT_COMPLETED', 409],
  StorageTaken: ['FST_BACKUP_STORAGE_TAKEN', 409],
  FileGone: ['FST_BACKUP_FILE_GONE', 410],
  RangeInvalid: ['FST_BACKUP_RANGE_INVALID', 416],
  Aborted: ['FST_BACKUP_ABORTED', 499],
  TooManyStreams: ['FST_BACKUP_TOO_MANY_STREAMS', 503],
  ShuttingDown: ['FST_BACKUP_SHUTTING_DOWN', 503],
  ImportInterrupted: ['FST_BACKUP_IMPORT_INTERRUPTED', 400],
  ImportEncoded: ['FST_BACKUP_IMPORT_ENCODED', 415],
  ImportContentType: ['FST_BACKUP_IMPORT_CONTENT_TYPE', 415],
  CompressionUnsupported: ['FST_BACKUP_COMPRESSION_UNSUPPORTED', 501],
  LimitExceeded: ['FST_BACKUP_LIMIT_EXCEEDED', 413],
  SnapshotInvalid: ['FST_BACKUP_SNAPSHOT_INVALID', 422],
  SchemaDrift: ['FST_BACKUP_SCHEMA_DRIFT', 422],
  CannotSnapshot: ['FST_BACKUP_CANNOT_SNAPSHOT', 422],
  CannotRestore: ['FST_BACKUP_CANNOT_RESTORE', 422],
  RestoreFailed: ['FST_BACKUP_RESTORE_FAILED', 422],
  RestoreUncertain: ['FST_BACKUP_RESTORE_UNCERTAIN', 500],
  LockTimeout: ['FST_BACKUP_LOCK_TIMEOUT', 409],
  CatalogUnstable: ['FST_BACKUP_CATALOG_UNSTABLE', 409],
  WorkerFailed: ['FST_BACKUP_WORKER_FAILED', 500],
  DatabaseUnavailable: ['FST_BACKUP_DATABASE_UNAVAILABLE', 503],
  DatabaseInsecure: ['FST_BACKUP_DATABASE_INSECURE', 500],
  DatabaseFailed: ['FST_BACKUP_DATABASE_FAILED', 500],
  LogUnusable: ['FST_BACKUP_LOG_UNUSABLE', 500],
  StorageFailed: ['FST_BACKUP_STORAGE_FAILED', 500],
  StorageMissing: ['FST_BACKUP_STORAGE_MISSING', 503],
  StorageFull: ['FST_BACKUP_STORAGE_FULL', 507],
  Unexpected: ['FST_BACKUP_UNEXPECTED', 500]
}

type AnyError = new (...values: string[]) => Error & { code: string, statusCode: number }

t.test('the codes and statuses of all errors', async (t) => {
  const actual = Object.entries(errors).map(([name, Class]) => {
    const error = new (Class as unknown as AnyError)('one', 'two')
    return [name, [error.code, error.statusCode]]
  })
  t.strictSame(Object.fromEntries(actual), expected)
  t.strictSame(actual.map(([name]) => name), Object.keys(errors).sort(), 'each class once')
})

t.test('every error is an Error with a message that is different from the others', async (t) => {
  const messages = new Set<string>()
  for (const [name, Class] of Object.entries(errors)) {
    const error = new (Class as unknown as AnyError)('one', 'two')
    t.ok(error instanceof Error, name)
    t.notMatch(error.message, /%[sd]|undefined/, name)
    t.ok(error.message.length > 0)
    messages.add(error.message)
  }
  t.ok(new errors.OptionInvalid('x') instanceof TypeError, 'an invalid option is a programming error')
  t.match(new errors.NotFound('7').message, 'There is no backup 7')
  t.match(new errors.RangeInvalid(10), { message: /10 bytes/, statusCode: 416 })
})
