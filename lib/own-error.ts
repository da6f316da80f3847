import type * as errors from './errors.ts'

type CodeOf<Constructor> = Constructor extends { readonly prototype: { code: infer Code } } ? Code : never

/** The codes of this library's errors, without their prefix: `'BUSY'` stands for FST_BACKUP_BUSY. */
export type ErrorCode = CodeOf<(typeof errors)[keyof typeof errors]> extends `FST_BACKUP_${infer Code}` ? Code : never

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whether `error` is an error of this library and, if `code` is given, has that code. */
export const isOwnError = (error: unknown, code?: ErrorCode): boolean =>
  code === undefined ? codeOf(error).startsWith('FST_BACKUP_') : codeOf(error) === `FST_BACKUP_${code}`

/** Whether `error` is an FST_BACKUP_STORAGE_* error: full, failed, missing or taken. */
export const isStorageError = (error: unknown): boolean => codeOf(error).startsWith('FST_BACKUP_STORAGE_')

/**
 * The part of an error that can be reported without disclosing data, since its message may contain any:
 * `TypeError ERR_INVALID_ARG_TYPE`.
 */
export const kindOf = (error: unknown): string =>
  error instanceof Error ? `${error.name} ${codeOf(error)}`.trim() : typeof error
