import { StorageFailed, StorageFull } from '../errors.ts'

const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

/** Fields of what node:fs rejects with; see "Class: SystemError" in Node's documentation of errors. */
interface SystemError extends Error { code: string, syscall: string }

function isSystemError (error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** The code of an error of the file system or of a storage (`ENOENT`); empty where there is none. */
export const systemCode = (error: unknown): string => error instanceof Error && 'code' in error ? String(error.code) : ''

/**
 * Turns an error of the file system into one that can leave the library, with `cause`: FST_BACKUP_STORAGE_FULL when space or quota is used up,
 * else FST_BACKUP_STORAGE_FAILED. Anything else comes back as it is.
 * @param operation what could not be done, in the infinitive: `write the snapshot`
 */
export function storageError (error: unknown, operation: string): unknown {
  if (!isSystemError(error)) return error
  const failure = fullCodes.has(error.code) ? new StorageFull(operation) : new StorageFailed(operation, error.code)
  return Object.assign(failure, { cause: error })
}
