import { StorageFailed, StorageFull } from '../errors.ts'

const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

/** The fields of an error of node:fs; see "Class: SystemError" in Node's documentation of errors. */
interface SystemError extends Error { code: string, syscall: string }

function isSystemError (error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** The code of an error of the file system or of a storage, such as `ENOENT`; empty for an error without code. */
export const systemCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/**
 * Converts an error of the file system to a public error of this library, with the original as `cause`:
 * FST_BACKUP_STORAGE_FULL when space or quota is exhausted, otherwise FST_BACKUP_STORAGE_FAILED. Returns any other
 * error unchanged.
 * @param operation what failed, in the infinitive: `write the snapshot`
 */
export function storageError (error: unknown, operation: string): unknown {
  if (!isSystemError(error)) return error
  const failure = fullCodes.has(error.code) ? new StorageFull(operation) : new StorageFailed(operation, error.code)
  return Object.assign(failure, { cause: error })
}
