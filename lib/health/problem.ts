import type { Problem, ProblemCode } from '../../types/index.ts'

/** What a problem is about. */
interface Subject { since?: Date | null, backupIds?: string[], schemas?: string[] }

/** A status must stay small, and there may be thousands. */
const listedAtMost = 100

const listed = (items: string[]): string[] => [...new Set(items)].slice(0, listedAtMost)

export function problem (
  code: ProblemCode, message: string, { since = null, backupIds = [], schemas = [] }: Subject = {}
): Problem {
  const subjects = { backupIds: listed(backupIds), schemas: listed(schemas) }
  return { code, message, since: since?.toISOString() ?? null, ...subjects }
}

/** The subject of a problem of these backups. */
export const about = (backups: Array<{ id: string, schema: string }>): Pick<Subject, 'backupIds' | 'schemas'> =>
  ({ backupIds: backups.map(({ id }) => id), schemas: backups.map(({ schema }) => schema) })

/** Lists at most five names, since there may be thousands. */
export function named (names: string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

export const earliest = (times: Date[]): Date => new Date(Math.min(...times.map((time) => time.getTime())))
