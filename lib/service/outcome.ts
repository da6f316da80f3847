import { publicDatabaseError } from '../postgres/database-error.ts'

const code = (error: unknown): string => typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whether it is one of this library's own errors; with `wanted`, whether it is that one. */
export const isOwnError = (error: unknown, wanted?: string): boolean =>
  wanted === undefined ? code(error).startsWith('FST_BACKUP_') : code(error) === `FST_BACKUP_${wanted}`

/** What a caller gets: never a raw database error, whose message may hold row data. */
export const publicError = (error: unknown): Error => publicDatabaseError(error) as Error

/** What the log keeps of it. Of an error that is nobody's we know only the kind. */
export function errorText (error: unknown): string {
  const shown = publicError(error)
  return isOwnError(shown) ? shown.message : `unexpected ${shown.name} ${code(shown)}`.trim()
}
