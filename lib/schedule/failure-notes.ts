/** How loud a failure is told: the same reason of the same slot is no news the second time. */
export interface FailureNotes {
  /** By schema, or by whatever else fails. */
  note: (subject: string, slot: number, reason: string) => 'error' | 'warn' | 'debug'
  /** Tells how many failures came before the success. */
  forget: (subject: string) => number
}

export function createFailureNotes (): FailureNotes {
  const notes = new Map<string, { slot: number, reason: string, failures: number }>()
  return {
    note (subject, slot, reason) {
      const before = notes.get(subject)
      const isAnother = before === undefined || before.slot !== slot
      notes.set(subject, { slot, reason, failures: isAnother ? 1 : before.failures + 1 })
      if (isAnother) return 'error'
      return before.reason === reason ? 'debug' : 'warn'
    },
    forget (subject) {
      const failures = notes.get(subject)?.failures ?? 0
      notes.delete(subject)
      return failures
    }
  }
}

/** What of an error may be logged: a message of our own, but no other, since a database's may hold row data. */
export function describe (error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = String((error as { code?: unknown }).code ?? '')
  return code.startsWith('FST_BACKUP_') ? `${code}: ${error.message}` : `${error.name} ${code}`.trim()
}
