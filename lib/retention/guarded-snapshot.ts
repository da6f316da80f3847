import type { BackupTrigger, SuspectTable } from '../../types/index.ts'

/** A completed snapshot of one schema, as far as the guard looks at it. */
export interface GuardedSnapshot {
  /** Order of insertion. */
  ordinal: number
  trigger: BackupTrigger
  /** The call itself left tables out. */
  partial: boolean
  /** Found in the storage, and since then neither accepted nor followed by a restore. */
  adopted: boolean
  suspect: SuspectTable[] | null
  accepted: boolean
  /** A suspect that waits no more: restores have replaced the tables that it names. */
  answered: boolean
}

/** The same with the rows of its tables. */
export interface CountedSnapshot extends Omit<GuardedSnapshot, 'adopted' | 'answered'> {
  /** Null for a table that exists and was left out. Null as a whole: not known. */
  rowCounts: Record<string, number | null> | null
  /** Of a pre_restore snapshot whose restore succeeded: the replaced tables, and the rows that they had afterwards. */
  restoredRows: Record<string, number> | null
}

/** A snapshot that is compared, and that others are compared with: it leaves out only what the configuration says. */
export const isFull = ({ trigger, partial }: Pick<GuardedSnapshot, 'trigger' | 'partial'>): boolean =>
  !partial && (trigger === 'manual' || trigger === 'scheduled')

/** A suspect that nobody has accepted. */
export const isDoubtful = ({ suspect, accepted }: Pick<GuardedSnapshot, 'suspect' | 'accepted'>): boolean =>
  suspect !== null && !accepted

export const newestFirst = <T extends { ordinal: number, id?: string }>(snapshots: T[]): T[] =>
  snapshots.toSorted((a, b) => b.ordinal - a.ordinal || (String(a.id) < String(b.id) ? 1 : -1))
