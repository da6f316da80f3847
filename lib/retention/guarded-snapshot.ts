import type { BackupTrigger, SuspectTable } from '../../types/index.ts'

/** The fields of a completed snapshot of one schema that the guard uses. */
export interface GuardedSnapshot {
  /** The order of insertion. */
  ordinal: number
  trigger: BackupTrigger
  /** The caller left tables out. */
  partial: boolean
  /** It was found in the storage and since then has neither been accepted nor been followed by a restore. */
  adopted: boolean
  suspect: SuspectTable[] | null
  accepted: boolean
  /** It is suspect and no longer pending, since restores have replaced the tables that it names. */
  isRestored: boolean
}

/** The same with the row counts of its tables. */
export interface CountedSnapshot extends Omit<GuardedSnapshot, 'adopted' | 'isRestored'> {
  /** Null if unknown. The count of a table that exists and was left out is null. */
  rowCounts: Record<string, number | null> | null
  /** For a pre_restore snapshot whose restore succeeded: the replaced tables and their row counts after it. */
  restoredRows: Record<string, number> | null
}

/** Whether the guard compares it with others. A full snapshot leaves out only what the configuration excludes. */
export const isFull = ({ trigger, partial }: Pick<GuardedSnapshot, 'trigger' | 'partial'>): boolean =>
  !partial && (trigger === 'manual' || trigger === 'scheduled')

/** Whether it is suspect and not accepted. */
export const isUnaccepted = ({ suspect, accepted }: Pick<GuardedSnapshot, 'suspect' | 'accepted'>): boolean =>
  suspect !== null && !accepted

export const newestFirst = <T extends { ordinal: number, id?: string }>(snapshots: T[]): T[] =>
  snapshots.toSorted((a, b) => b.ordinal - a.ordinal || (String(a.id) < String(b.id) ? 1 : -1))
