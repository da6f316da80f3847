import { Unexpected } from '../errors.ts'
import type { LoggedError } from '../log/log-access.ts'
import { codeOf, isBackupError, isOwnError, kindOf } from '../own-error.ts'
import { publicDatabaseError } from '../postgres/database-error.ts'

type PublicError = Error & { code: string }

/** The error that the caller receives: one of this library's own errors, none of which contains row data. */
export function publicError (error: unknown): PublicError {
  const known = publicDatabaseError(error)
  return isBackupError(known) ? known : withStackOf(error, new Unexpected(kindOf(error)))
}

/** The error that a run fails with. After an abort, the abort is the reason for every other error. */
export function outcomeOf (error: unknown, signal: AbortSignal): PublicError {
  return signal.aborted && !isOwnError(error) ? signal.reason as PublicError : publicError(error)
}

/** Copies the stack frames without the message, which may contain row data and span several lines. */
function withStackOf (error: unknown, unexpected: PublicError): PublicError {
  if (!(error instanceof Error)) return unexpected
  const message = new Set(error.message.split('\n'))
  const frames = String(error.stack).split('\n').filter((line) => line.startsWith('    at ') && !message.has(line))
  unexpected.stack = [`${unexpected.name}: ${unexpected.message}`, ...frames].join('\n')
  return unexpected
}

/** The text that the log stores. */
export const errorText = (error: unknown): string => publicError(error).message

/** The error that the log stores. Also what HTTP shows of the error of an event. */
export function loggedError (error: unknown): LoggedError {
  const known = publicError(error)
  return { code: codeOf(known), message: known.message }
}
