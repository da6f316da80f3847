import type { EventEntry, EventName, RecordedEvent, RestoreSummary } from '../log/event-records.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Backup, BackupEvents, RestoreRecord, RestoreResult } from '../../types/index.ts'

/** An event of any replica, as the log has it. */
export interface FeedEvent {
  name: keyof BackupEvents
  /** A caller who may not see one of these schemas does not see the event. */
  schemas: string[]
  /** @param show the backup as the caller sees it */
  data: (show: (logged: LoggedBackup) => LoggedBackup['backup']) => unknown
}

/** None for an entry of a later release, whose name is not known. */
export function toFeedEvents ({ logged, entry }: RecordedEvent): FeedEvent[] {
  // The pre_restore snapshot of a restore has no events of its own, except when it is pruned
  const isOfRestore = logged.backup.trigger === 'pre_restore' && entry.name.startsWith('backup:')
  return isOfRestore && entry.name !== 'backup:pruned' ? [] : describe(logged, entry)
}

function describe (logged: LoggedBackup, entry: EventEntry): FeedEvent[] {
  const { backup, backup: { id, schema } } = logged
  const event = (name: EventName, schemas: string[], data: FeedEvent['data']): FeedEvent => ({ name, schemas, data })
  switch (entry.name) {
    case 'backup:started': return [event(entry.name, [schema], () => asStarted(backup))]
    case 'backup:completed': {
      const completed = event(entry.name, [schema], () => asCompleted(backup))
      return backup.suspect === null ? [completed] : [completed, event('backup:suspect', [schema], completed.data)]
    }
    case 'backup:failed': return [event(entry.name, [schema], () => ({ id, schema, error: entry.error }))]
    case 'backup:pruned': return [event(entry.name, [schema], (show) =>
      ({ backup: { ...show(logged), available: false, held: false }, reason: entry.reason }))]
    case 'restore:started': return [event(entry.name, [schema, entry.schema], () => ({ id, schema: entry.schema }))]
    case 'restore:failed': return [event(entry.name, [schema, entry.schema], () =>
      ({ id, schema: entry.schema, error: entry.error }))]
    case 'restore:completed': return [event(entry.name, [schema, entry.schema], () => {
      const { preRestoreId, durationMs } = entry
      const { tables, drift, phases } = JSON.parse(entry.result) as RestoreSummary
      const rowCount = tables.reduce((sum, { rows }) => sum + rows, 0)
      return { id, preRestoreId, schema: entry.schema, tables, rowCount, drift, ...timesOf({ durationMs, phases }) }
    })]
    default: return []
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

const notYetUsed = {
  restoredAt: null, restoredBy: null, restore: null, restores: [] as RestoreRecord[], held: false, verification: null
}

/** The backup when it had begun, whatever has happened since. */
function asStarted ({ progress, ...backup }: LoggedBackup['backup']): Backup {
  return {
    ...backup,
    ...notYetUsed,
    status: 'running',
    sizeBytes: null,
    storedBytes: null,
    tableCount: null,
    rowCount: null,
    checksum: null,
    error: null,
    errorCode: null,
    suspect: null,
    warnings: [],
    excludedTables: [],
    finishedAt: null,
    durationMs: null,
    available: false
  }
}

/** The backup when it was completed. */
function asCompleted ({ progress, ...backup }: LoggedBackup['backup']): Backup {
  return { ...backup, ...notYetUsed, status: 'completed', available: true }
}
