/**
 * The level at which to log a failure: lower when the same slot has failed before, lowest when it failed for the same
 * reason.
 */
export interface FailureNotes {
  /** @param subject the schema, or another name of what fails */
  note: (subject: string, slot: number, reason: string) => 'error' | 'warn' | 'debug'
  /** Returns the number of failures before the success. */
  forget: (subject: string) => number
}

export function createFailureNotes (): FailureNotes {
  const notes = new Map<string, { slot: number, reason: string, failures: number }>()
  return {
    note (subject, slot, reason) {
      const before = notes.get(subject)
      const isFirst = before === undefined || before.slot !== slot
      notes.set(subject, { slot, reason, failures: isFirst ? 1 : before.failures + 1 })
      if (isFirst) return 'error'
      return before.reason === reason ? 'debug' : 'warn'
    },
    forget (subject) {
      const failures = notes.get(subject)?.failures ?? 0
      notes.delete(subject)
      return failures
    }
  }
}

/**
 * The part of an error that may be logged. Only messages of this library are safe: one of the database may contain row
 * data.
 */
export function describe (error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = String((error as { code?: unknown }).code ?? '')
  return code.startsWith('FST_BACKUP_') ? `${code}: ${error.message}` : `${error.name} ${code}`.trim()
}
