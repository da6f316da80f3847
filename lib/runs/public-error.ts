import { Unexpected } from '../errors.ts'
import { isOwnError, kindOf } from '../own-error.ts'
import { publicDatabaseError } from '../postgres/database-error.ts'

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
