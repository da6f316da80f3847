/** When a schedule wants a backup. Pure: every replica gets the same slots for the same dates. */
export interface Cadence {
  /** The first slot after `after`, which is never that moment itself. */
  next: (after: Date) => Date
  /** The newest slot that is not after `atOrBefore`; that moment itself, when it is one. */
  previous: (atOrBefore: Date) => Date
  /** A sentence for the log, to be told once, or null. */
  warning: string | null
}
