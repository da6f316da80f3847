import type { BackupEvents, RestoreResult } from '../../types/index.ts'
import { isRecent, type LogAccess, type LoggedError } from './log-access.ts'
import { isBeingRestored, type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'

interface Stamp {
  /** The transaction that made the change, a 64-bit number. */
  in: string
  at: string
  /** The row that the event is about, as JSON in ASCII, if another row has the entry: that one was deleted. */
  row?: string
}

/** A change of state that a row has recorded. `backup:suspect` and progress are not entries: the row has them. */
export type EventEntry = Stamp & (
  { name: 'backup:started' | 'backup:completed' } |
  { name: 'backup:failed', error: LoggedError } |
  { name: 'backup:pruned', reason: string } |
  { name: 'restore:started', schema: string } |
  { name: 'restore:failed', schema: string, error: LoggedError } |
  // `result` is a RestoreSummary as JSON in ASCII
  { name: 'restore:completed', schema: string, preRestoreId: string, durationMs: number, result: string }
)

export type RestoreSummary = Pick<RestoreResult, 'tables' | 'drift' | 'phases'>

/** The names of the events that rows record. */
export type EventName = EventEntry['name'] | Extract<keyof BackupEvents, 'backup:suspect'>

/** An event, and the row that it is about. */
export interface RecordedEvent { logged: LoggedBackup, entry: EventEntry }

/** Which transactions had been committed at a moment (manual, 9.27.8). */
export interface LogSnapshot {
  /** The oldest transaction that had not ended. */
  oldest: bigint
  /** Whether the changes of a transaction were visible. */
  sees: (transaction: bigint) => boolean
  text: string
}

export interface LogChanges {
  /** In the order of the transactions, and for each row in the order in which they happened. */
  events: RecordedEvent[]
  /** Backups that run, and snapshots that are being restored. */
  running: LoggedBackup[]
  /** What the events were read from. */
  snapshot: LogSnapshot
}

/** Of the type xid8. */
const largestTransaction = 2n ** 64n - 1n

/** `xmin:xmax:xip,xip`: transactions from xmin on that had not ended, and the first one that had not begun. */
function parseSnapshot (text: string): LogSnapshot {
  const [oldest = '', next = '', inProgress = ''] = text.split(':')
  const [first, end] = [BigInt(oldest), BigInt(next)]
  const running = new Set(inProgress.split(','))
  return {
    oldest: first,
    sees: (transaction) => transaction < first || (transaction < end && !running.has(String(transaction))),
    text
  }
}

/**
 * Which changes of the log have been committed. A snapshot of the server says which transactions it sees, so the events
 * between two snapshots are those that the second one sees and the first one does not, in any order of commits.
 *
 * A log that was copied from another server has transactions that this server has not reached, which are left out.
 */
export function eventRecords ({ query, table }: LogAccess) {
  return {
    /**
     * The events of the last ten minutes that `since` does not see, and those of the transaction `after` and later
     * ones. None if both are null.
     */
    async changes (since: LogSnapshot | null, after: bigint | null): Promise<LogChanges> {
      const from = after === null || after > largestTransaction ? null : after
      // One statement, since each has a snapshot of its own
      const [read] = await query<{
        snapshot: string, changed: Array<LogRow & { events: EventEntry[] }>, running: LogRow[]
      }>(`SELECT pg_current_snapshot()::text AS snapshot,
        (SELECT coalesce(json_agg(row_to_json(c) ORDER BY ordinal, id), '[]') FROM (
          SELECT ${logColumns}, (SELECT coalesce(jsonb_agg(event ORDER BY place), '[]')
            FROM jsonb_array_elements(events) WITH ORDINALITY AS e (event, place) WHERE ${isRecent('event')}) AS events
          FROM ${table} WHERE changed_in < pg_snapshot_xmax(pg_current_snapshot())
            AND changed_in >= least(pg_snapshot_xmin($1::text::pg_snapshot), $2::text::xid8)
            AND (changed_in >= $2::text::xid8 OR NOT pg_visible_in_snapshot(changed_in, $1::text::pg_snapshot))
        ) c WHERE events <> '[]') AS changed,
        (SELECT coalesce(json_agg(row_to_json(r)), '[]') FROM (SELECT ${logColumns} FROM ${table}
          WHERE status = 'running' OR ${isBeingRestored}) r) AS running`,
      [since?.text ?? null, from === null ? null : String(from)])
      const { snapshot: text, changed, running } = read as NonNullable<typeof read>
      const snapshot = parseSnapshot(text)
      const isNew = ({ in: transaction }: EventEntry): boolean => snapshot.sees(BigInt(transaction)) &&
        (since?.sees(BigInt(transaction)) === false || (from !== null && BigInt(transaction) >= from))
      return {
        events: inOrder(changed.flatMap((row) => row.events.filter(isNew).map((entry) =>
          ({ logged: toLoggedBackup(entry.row === undefined ? row : JSON.parse(entry.row) as LogRow), entry })))),
        running: running.map(toLoggedBackup),
        snapshot
      }
    }
  }
}

const inOrder = (events: RecordedEvent[]): RecordedEvent[] => events.toSorted(({ entry: a }, { entry: b }) => {
  const [first, second] = [BigInt(a.in), BigInt(b.in)]
  return first < second ? -1 : Number(first > second)
})
