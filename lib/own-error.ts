import type * as errors from './errors.ts'

type CodeOf<Constructor> = Constructor extends { readonly prototype: { code: infer Code } } ? Code : never

/** The codes of this library's errors. */
export type BackupErrorCode = CodeOf<(typeof errors)[keyof typeof errors]>

/** The same without their prefix: `'BUSY'` stands for FST_BACKUP_BUSY. */
export type ErrorCode = BackupErrorCode extends `FST_BACKUP_${infer Code}` ? Code : never

/** What every error of this library has. */
export interface BackupError<Code extends BackupErrorCode = BackupErrorCode> extends Error {
  code: Code
  /** The status of the HTTP response. */
  statusCode: number
  /** Why a snapshot or a restore is not possible: of some errors with the status 422. */
  problems?: string[]
  /** The differences between snapshot and schema: of FST_BACKUP_SCHEMA_DRIFT. */
  drift?: Array<{ table: string, column?: string, problem: string }>
}

/** The code of an error, with its prefix; empty without one. */
export const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whether `error` is an error of this library and, if `code` is given, has that code. */
export const isOwnError = (error: unknown, code?: ErrorCode): boolean =>
  code === undefined ? codeOf(error).startsWith('FST_BACKUP_') : codeOf(error) === `FST_BACKUP_${code}`

/**
 * Whether `error` was thrown by this library and, if `code` is given, has that code. Unlike `instanceof`, it also
 * recognizes the errors of another copy of the package.
 */
export function isBackupError<Code extends BackupErrorCode = BackupErrorCode> (
  error: unknown, code?: Code
): error is BackupError<Code> {
  return error instanceof Error && isOwnError(error) && (code === undefined || codeOf(error) === code)
}

/** Whether `error` is an FST_BACKUP_STORAGE_* error: full, failed, missing or taken. */
export const isStorageError = (error: unknown): boolean => codeOf(error).startsWith('FST_BACKUP_STORAGE_')

/**
 * The part of an error that can be reported without disclosing data, since its message may contain any:
 * `TypeError ERR_INVALID_ARG_TYPE`.
 */
export const kindOf = (error: unknown): string =>
  error instanceof Error ? `${error.name} ${codeOf(error)}`.trim() : typeof error

/** Whether the caller or a shutdown has ended the run, so nothing is wrong with the service. */
export const isInterruption = (error: unknown): boolean =>
  isOwnError(error, 'ABORTED') || isOwnError(error, 'SHUTTING_DOWN') || isOwnError(error, 'IMPORT_INTERRUPTED')

const logged = new WeakSet<object>()

/** Remembers that the log of the service contains the error, so that no one else logs it. */
export function setLogged (error: unknown): void {
  if (typeof error === 'object' && error !== null) logged.add(error)
}

export const isLogged = (error: unknown): boolean => typeof error === 'object' && error !== null && logged.has(error)
