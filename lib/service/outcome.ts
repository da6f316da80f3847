import createError from '@fastify/error'
import { publicDatabaseError } from '../postgres/database-error.ts'

/** An error that is nobody's: a fault of this library, or of a function that the service's owner gave it. */
export const Unexpected = createError<[string]>('FST_BACKUP_UNEXPECTED', 'Something unexpected went wrong (%s); its stack tells where', 500)

const codeOf = (error: unknown): string => typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whether it is one of this library's own errors; with `wanted`, whether it is that one. */
export const isOwnError = (error: unknown, wanted = ''): boolean =>
  wanted === '' ? codeOf(error).startsWith('FST_BACKUP_') : codeOf(error) === `FST_BACKUP_${wanted}`

/** Whether it is one of this library's errors of the storage: full, failed, missing, taken. */
export const isStorageError = (error: unknown): boolean => codeOf(error).startsWith('FST_BACKUP_STORAGE_')

/** What may be told of an error whose message may hold anything: `TypeError ERR_INVALID_ARG_TYPE`. */
export const kindOf = (error: unknown): string => error instanceof Error ? `${error.name} ${codeOf(error)}`.trim() : typeof error

/** What a caller gets: one of this library's own errors, none of which holds row data. */
export function publicError (error: unknown): Error {
  const told = publicDatabaseError(error)
  return told instanceof Error && isOwnError(told) ? told : withStackOf(error, new Unexpected(kindOf(error)))
}

/** What becomes of a run: after an abort whatever fails on the way out, fails because of it. */
export function outcomeOf (error: unknown, signal: AbortSignal): Error {
  return signal.aborted && !isOwnError(error) ? signal.reason as Error : publicError(error)
}

/** The places without the message: it may run over several lines. */
function withStackOf (error: unknown, told: Error): Error {
  if (!(error instanceof Error)) return told
  const message = new Set(error.message.split('\n'))
  const places = String(error.stack).split('\n').filter((line) => line.startsWith('    at ') && !message.has(line))
  told.stack = [`${told.name}: ${told.message}`, ...places].join('\n')
  return told
}

/** What the log keeps of it. */
export const errorText = (error: unknown): string => publicError(error).message
