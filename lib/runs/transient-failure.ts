import { type ErrorCode, isOwnError, isStorageError } from '../own-error.ts'

/**
 * Errors after which a retry may succeed, because the cause ends by itself (a lock, a migration) or because an
 * administrator removes it (too little memory, an expired certificate of the database). Errors of the storage are such
 * errors, too.
 */
const transientCodes: ErrorCode[] = [
  'LOCK_TIMEOUT', 'CATALOG_UNSTABLE', 'WORKER_FAILED', 'DATABASE_UNAVAILABLE', 'DATABASE_INSECURE', 'SHUTTING_DOWN',
  'ABORTED'
]

/**
 * The same among SQLSTATE classes: 40 transaction rollback, 53 insufficient resources, 57 operator intervention,
 * 58 system error.
 */
const transientStates = /^(?:40|53|57|58)/

/** Whether the same run may succeed later, without a change of the schema or of the options. */
export function isTransient (failure: unknown): boolean {
  if (transientCodes.some((code) => isOwnError(failure, code))) return true
  if (isStorageError(failure)) return true
  return isOwnError(failure, 'DATABASE_FAILED') && transientStates.test(stateOf(failure))
}

function stateOf (failure: unknown): string {
  const cause = failure instanceof Error ? failure.cause : undefined
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
}
