import { type ErrorCode, isOwnError, isStorageError } from '../own-error.ts'

/** What may pass by itself, or as soon as somebody makes room: locks, a migration, the storage, the memory, the database. */
const passing: ErrorCode[] = ['LOCK_TIMEOUT', 'CATALOG_UNSTABLE', 'WORKER_FAILED', 'DATABASE_UNAVAILABLE', 'DATABASE_INSECURE', 'SHUTTING_DOWN', 'ABORTED']

/** SQLSTATE classes of the same kind: rolled back for others' sake, insufficient resources, operator intervention, errors of the system. */
const passingStates = /^(?:40|53|57|58)/

/** Whether the same run may succeed when it is tried again, without a change of the schema or of the options. */
export function mayPass (failure: unknown): boolean {
  if (passing.some((name) => isOwnError(failure, name))) return true
  if (isStorageError(failure)) return true
  return isOwnError(failure, 'DATABASE_FAILED') && passingStates.test(stateOf(failure))
}

const stateOf = (failure: unknown): string =>
  failure instanceof Error && typeof failure.cause === 'object' && failure.cause !== null && 'code' in failure.cause ? String(failure.cause.code) : ''
