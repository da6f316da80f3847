/** The slots of a schedule: the times of its backups. Pure: every replica gets the same slots for the same dates. */
export interface Cadence {
  /** The first slot later than `after`. */
  next: (after: Date) => Date
  /** The newest slot not later than `atOrBefore`, which may be `atOrBefore` itself. */
  previous: (atOrBefore: Date) => Date
  /** A sentence to log once, or null. */
  warning: string | null
}
