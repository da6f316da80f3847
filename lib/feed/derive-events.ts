import type { ChangedRow, EventEntry, EventName, PrunedRow } from '../log/event-records.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Backup, BackupEvents, RestoreResult } from '../../types/index.ts'

/** An event of any replica, as the log has it. */
export interface FeedEvent {
  name: keyof BackupEvents
  /** The transaction that made the change; of progress, the position that it was read at. */
  in: bigint
  /** The same for the same event whenever it is read. */
  key: string
  /** A caller who may not see one of these schemas does not see the event. */
  schemas: string[]
  /** @param show the backup as the caller sees it */
  data: (show: (logged: PrunedRow) => LoggedBackup['backup']) => unknown
}

export interface DerivedEvents {
  /** In the order in which the events of each row happened. */
  events: FeedEvent[]
  /** Transactions of removals that have begun and not ended. Their events follow. */
  pending: bigint[]
}

/** Milliseconds after which a removal that has not ended is no longer waited for: its file may be undeletable. */
const removalMs = 60_000

/** @param now of the database */
export function deriveEvents (rows: ChangedRow[], now: Date): DerivedEvents {
  const pending: bigint[] = []
  const events = rows.flatMap(({ logged, events: entries }) => entries.flatMap((entry) => {
    if (entry.name === 'backup:pruned' && !entry.isGone) {
      if (now.getTime() - Date.parse(entry.at) < removalMs) pending.push(BigInt(entry.in))
      return []
    }
    // The pre_restore snapshot of a restore has no events of its own, except when it is pruned
    const isOfRestore = logged.backup.trigger === 'pre_restore' && entry.name.startsWith('backup:')
    return isOfRestore && entry.name !== 'backup:pruned' ? [] : toFeedEvents(logged, entry)
  }))
  return { events: events.toSorted((a, b) => a.in < b.in ? -1 : Number(a.in > b.in)), pending }
}

function toFeedEvents ({ backup }: LoggedBackup, entry: EventEntry): FeedEvent[] {
  const { id, schema } = backup
  const event = (name: EventName, schemas: string[], data: FeedEvent['data'], of = id): FeedEvent =>
    ({ name, in: BigInt(entry.in), key: `${entry.in} ${of} ${name}`, schemas, data })
  switch (entry.name) {
    case 'backup:started': return [event(entry.name, [schema], () => asStarted(backup))]
    case 'backup:completed': {
      const completed = event(entry.name, [schema], () => asCompleted(backup))
      return backup.suspect === null ? [completed] : [completed, event('backup:suspect', [schema], completed.data)]
    }
    case 'backup:failed': return [event(entry.name, [schema], () => ({ id, schema, error: entry.error }))]
    case 'backup:pruned': return [event(entry.name, [entry.backup.schema], (show) =>
      ({ backup: { ...show(entry), available: false, held: false }, reason: entry.reason }), entry.backup.id)]
    case 'restore:started': return [event(entry.name, [schema, entry.schema], () => ({ id, schema: entry.schema }))]
    case 'restore:failed': return [event(entry.name, [schema, entry.schema], () =>
      ({ id, schema: entry.schema, error: entry.error }))]
    case 'restore:completed': return [event(entry.name, [schema, entry.schema], () => {
      const { preRestoreId, tables, drift } = entry
      const rowCount = tables.reduce((sum, { rows }) => sum + rows, 0)
      return { id, preRestoreId, schema: entry.schema, tables, rowCount, drift, ...timesOf(entry) }
    })]
  }
}

/** The phases add up to the duration, as in the result: what precedes the thread of the run is part of its start. */
function timesOf (
  { durationMs, phases }: Pick<RestoreResult, 'durationMs' | 'phases'>
): Pick<RestoreResult, 'durationMs' | 'phases'> {
  const inThread = Object.values(phases).reduce((sum, ms) => sum + ms, 0)
  const before = Math.max(0, durationMs - inThread)
  return { durationMs: before + inThread, phases: { ...phases, startMs: before + phases.startMs } }
}

const notRestored = { restoredAt: null, restoredBy: null, restore: null, held: false } as const

/** The backup when it had begun, whatever has happened since. */
function asStarted ({ progress, ...backup }: LoggedBackup['backup']): Backup {
  return {
    ...backup,
    ...notRestored,
    status: 'running',
    sizeBytes: null,
    tableCount: null,
    rowCount: null,
    checksum: null,
    error: null,
    suspect: null,
    warnings: [],
    finishedAt: null,
    durationMs: null,
    available: false
  }
}

/** The backup when it was completed. */
function asCompleted ({ progress, ...backup }: LoggedBackup['backup']): Backup {
  return { ...backup, ...notRestored, status: 'completed', available: true }
}
