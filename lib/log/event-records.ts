import type { BackupEvents, RestoreResult } from '../../types/index.ts'
import { inList, type LogAccess, type LoggedError } from './log-access.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'

interface Stamp {
  /** The transaction that made the change, a 64-bit number. */
  in: string
  at: string
}

/** A change of state that a row has recorded. `backup:suspect` and progress are not entries: the row has them. */
export type EventEntry = Stamp & (
  { name: 'backup:started' | 'backup:completed' } |
  { name: 'backup:failed', error: LoggedError } |
  { name: 'backup:pruned', reason: string, isGone: boolean } & PrunedRow |
  { name: 'restore:started', schema: string } |
  { name: 'restore:failed', schema: string, error: LoggedError } |
  { name: 'restore:completed', schema: string } & RestoreSummary
)

/** The row of a backup when its removal began. */
export type PrunedRow = Pick<LoggedBackup, 'backup' | 'restoreSchema' | 'restoredInto'>

type RestoreSummary = Pick<RestoreResult, 'preRestoreId' | 'durationMs' | 'tables' | 'drift' | 'phases'>

/** The names of the events that rows record. */
export type EventName = EventEntry['name'] | Extract<keyof BackupEvents, 'backup:suspect'>

export interface ChangedRow { logged: LoggedBackup, events: EventEntry[] }

export interface LogChanges {
  /** Rows whose newest event is of transaction `since` or later, with all of their events. */
  changed: ChangedRow[]
  /** Backups that run, and snapshots that are being restored. */
  running: LoggedBackup[]
  /** All events of transactions before this one are in `changed`, if they are not older than `since`. */
  position: bigint
  /** The clock of the database. */
  now: Date
}

/**
 * Which changes of the log have been committed. A position is the oldest transaction that has not ended: everything
 * before it is visible, and what it and later ones write may become visible after the position was read. So reading
 * from the last position on misses nothing, in any order of commits, and may read an event again (manual, 9.27.8).
 */
export function eventRecords ({ transact, table }: LogAccess) {
  return {
    /** @param since a position; null, or one that this server has not reached, for the present one */
    async changes (since: bigint | null): Promise<LogChanges> {
      return await transact(async (tx) => {
        // In a statement of its own before the others, so that it is not later than what they see
        const present = await tx.queryRow<{ position: string, now: string }>(
          'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS position, clock_timestamp() AS now')
        const position = BigInt(present.position)
        const from = since === null || since > position ? position : since
        const rows = await tx.query<LogRow & { events: EventEntry[] }>(`SELECT ${logColumns}, events FROM ${table}
          WHERE changed_in >= $1::text::xid8 ORDER BY ordinal, id`, [String(from)])
        const running = await tx.query<LogRow>(`SELECT ${logColumns} FROM ${table}
          WHERE status = 'running' OR restore ->> 'status' = 'running'`)
        const pruned = rows.flatMap(({ events }) => events.flatMap((entry) =>
          entry.name === 'backup:pruned' ? [entry.backup.id] : []))
        const remaining = pruned.length === 0
          ? []
          : await tx.query<{ id: string }>(`SELECT id FROM ${table} WHERE has_file AND id::text ${inList('$1')}`,
            [JSON.stringify(pruned)])
        const withFile = new Set(remaining.map(({ id }) => id))
        return {
          changed: rows.map((row) => ({ logged: toLoggedBackup(row), events: withGone(row.events, withFile) })),
          running: running.map(toLoggedBackup),
          position,
          now: new Date(present.now)
        }
      })
    }
  }
}

const withGone = (events: EventEntry[], withFile: Set<string>): EventEntry[] => events.map((entry) =>
  entry.name === 'backup:pruned' ? { ...entry, isGone: !withFile.has(entry.backup.id) } : entry)
