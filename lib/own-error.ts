import type * as errors from './errors.ts'

type CodeOf<Constructor> = Constructor extends { readonly prototype: { code: infer Code } } ? Code : never

/** The codes of this library's errors, without their prefix: `'BUSY'` stands for FST_BACKUP_BUSY. */
export type ErrorCode = CodeOf<(typeof errors)[keyof typeof errors]> extends `FST_BACKUP_${infer Code}` ? Code : never

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whether it is an error of this library; with `code`, whether it is that one. */
export const isOwnError = (error: unknown, code?: ErrorCode): boolean =>
  code === undefined ? codeOf(error).startsWith('FST_BACKUP_') : codeOf(error) === `FST_BACKUP_${code}`

/** Whether it is one of this library's errors of the storage: full, failed, missing, taken. */
export const isStorageError = (error: unknown): boolean => codeOf(error).startsWith('FST_BACKUP_STORAGE_')

/** What is safe to report of an error whose message may hold anything: `TypeError ERR_INVALID_ARG_TYPE`. */
export const kindOf = (error: unknown): string =>
  error instanceof Error ? `${error.name} ${codeOf(error)}`.trim() : typeof error
