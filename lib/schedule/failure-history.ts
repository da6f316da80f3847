/** The failures of each slot, which decide the level at which the next failure is logged. */
export interface FailureHistory {
  /**
   * Returns the level at which to log the failure: lower when the same slot has failed before, lowest when it failed
   * for the same reason.
   * @param subject the schema, or another name of what fails
   */
  recordFailure: (subject: string, slot: number, reason: string) => 'error' | 'warn' | 'debug'
  hasFailed: (subject: string, slot: number) => boolean
  /** Returns the number of failures before the success. */
  recordSuccess: (subject: string) => number
}

export function createFailureHistory (): FailureHistory {
  const history = new Map<string, { slot: number, reason: string, failures: number }>()
  return {
    recordFailure (subject, slot, reason) {
      const before = history.get(subject)
      const isFirst = before === undefined || before.slot !== slot
      history.set(subject, { slot, reason, failures: isFirst ? 1 : before.failures + 1 })
      if (isFirst) return 'error'
      return before.reason === reason ? 'debug' : 'warn'
    },
    hasFailed: (subject, slot) => history.get(subject)?.slot === slot,
    recordSuccess (subject) {
      const failures = history.get(subject)?.failures ?? 0
      history.delete(subject)
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
