import type { Problem, ProblemCode } from '../../types/index.ts'

export const problem = (code: ProblemCode, message: string, since: Date | null = null): Problem =>
  ({ code, message, since: since?.toISOString() ?? null })

/** Lists at most five names, since there may be thousands. */
export function named (names: string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

export const earliest = (times: Date[]): Date => new Date(Math.min(...times.map((time) => time.getTime())))
