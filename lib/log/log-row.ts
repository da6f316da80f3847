import type {
  Backup, BackupStatus, BackupTrigger, Origin, Progress, RestoreRecord, SuspectTable, VerificationRecord
} from '../../types/index.ts'

/** A restore sets this mark on a table of a suspect row. It stays after the pre_restore snapshot is removed. */
interface Replaced { replaced?: true }

/** A row as row_to_json() returns it. */
export interface LogRow<S extends BackupStatus = BackupStatus> {
  id: string
  schema: string
  filename: string
  status: S
  trigger: BackupTrigger
  compression: Backup['compression']
  size_bytes: number | null
  stored_bytes: number | null
  table_count: number | null
  row_count: number | null
  checksum: string | null
  error: string | null
  error_code: string | null
  created_by: string | null
  cron: string | null
  note: string | null
  pinned: boolean
  started_at: string
  finished_at: string | null
  duration_ms: number | null
  restored_at: string | null
  restored_by: string | null
  restores: RestoreRecord[]
  restored_into: string | null
  progress: Progress | null
  has_file: boolean
  ordinal: number
  suspect: Array<SuspectTable & Replaced> | null
  accepted: boolean
  warnings: string[]
  partial: boolean
  excluded_tables: string[]
  adopted: boolean
  sidecar: number | null
  inserted_at: string
  origin: Origin | null
  verification: VerificationRecord | null
}

/** A condition: at least one restore of the snapshot is running. */
export const isBeingRestored = 'restores @> \'[{"status": "running"}]\''

/** The same of a backup. */
export const hasRunningRestore = ({ restores }: Pick<Backup, 'restores'>): boolean =>
  restores.some(({ status }) => status === 'running')

/** Only of a partial snapshot, since the row counts of a list of snapshots are long. */
const excludedTables = `CASE WHEN partial AND row_counts IS NOT NULL THEN
  (SELECT coalesce(jsonb_agg(name ORDER BY name COLLATE "C"), '[]') FROM jsonb_each(row_counts) AS c (name, rows)
    WHERE rows = 'null') ELSE '[]' END`

/** A replica of an earlier release completes rows without the size of the file, which is that of the JSON then. */
export const storedBytes = 'coalesce(stored_bytes, size_bytes)'

export const logColumns = `id, schema, filename, status, trigger, compression, size_bytes,
  ${storedBytes} AS stored_bytes, table_count, row_count, checksum, error, error_code, created_by, cron, note,
  pinned, started_at, finished_at, duration_ms, restored_at, restored_by, restores, restored_into, progress,
  has_file, ordinal, suspect, accepted, warnings, partial, adopted, sidecar, inserted_at, origin, verification,
  ${excludedTables} AS excluded_tables`

/** The log's data of a backup. Only the storage can show whether its file exists. */
export interface LoggedBackup<S extends BackupStatus = BackupStatus> {
  backup: Omit<Backup, 'available' | 'held' | 'status'> & { status: S }
  /** Position in the order of insertion. Adopted rows precede all rows that the log had when they were adopted. */
  ordinal: number
  /** The row was created from a file in the storage, and since then neither accepted nor followed by a restore. */
  adopted: boolean
  /** The row is suspect, and restores have replaced all of its suspect tables. */
  isRestored: boolean
  /** Version of the sidecar file; null when there is none. */
  sidecar: number | null
  /** By the database's clock; for an adopted row the time of the snapshot. ISO 8601. */
  insertedAt: string
  /**
   * The target schema of the newest successful restore, which `restoredAt` and `restoredBy` describe. Null without one,
   * or when it is unknown.
   */
  restoredInto: string | null
  /** Whether the storage may contain a file of this run. Set before the file is published. */
  hasFile: boolean
}

export type FinishedBackup = LoggedBackup<Exclude<BackupStatus, 'running'>>

/** What a backup shows of these restores, newest first. The progress is that of the newest one that is running. */
export function describeRestores (restores: RestoreRecord[]): Pick<Backup, 'restore' | 'restores' | 'progress'> {
  const progress = restores.find(({ status }) => status === 'running')?.progress
  return { restore: restores[0] ?? null, restores, ...progress !== undefined && { progress } }
}

const iso = (time: string): string => new Date(time).toISOString()
const isoOrNull = (time: string | null): string | null => time === null ? null : iso(time)

/** A loss of all tables together (table null) counts only when no table is named. */
function areAllReplaced (suspect: Array<SuspectTable & Replaced>): boolean {
  const named = suspect.filter(({ table }) => table !== null)
  const lost = named.length > 0 ? named : suspect
  return lost.length > 0 && lost.every(({ replaced }) => replaced)
}

function toBackup<S extends BackupStatus> (row: LogRow<S>): LoggedBackup<S>['backup'] {
  return {
    id: row.id,
    schema: row.schema,
    filename: row.filename,
    status: row.status,
    trigger: row.trigger,
    compression: row.compression,
    sizeBytes: row.size_bytes,
    storedBytes: row.stored_bytes,
    tableCount: row.table_count,
    rowCount: row.row_count,
    checksum: row.checksum,
    error: row.error,
    errorCode: row.error_code,
    createdBy: row.created_by,
    cron: row.cron,
    note: row.note,
    origin: row.origin,
    partial: row.partial,
    excludedTables: row.excluded_tables,
    pinned: row.pinned,
    suspect: row.suspect?.map(({ replaced, ...table }) => table) ?? null,
    accepted: row.accepted,
    warnings: row.warnings,
    verification: row.verification && { ...row.verification, at: iso(row.verification.at) },
    startedAt: iso(row.started_at),
    finishedAt: isoOrNull(row.finished_at),
    durationMs: row.duration_ms,
    restoredAt: isoOrNull(row.restored_at),
    restoredBy: row.restored_by,
    ...describeRestores(row.restores),
    ...row.progress !== null && { progress: row.progress }
  }
}

export function toLoggedBackup<S extends BackupStatus> (row: LogRow<S>): LoggedBackup<S> {
  return {
    backup: toBackup(row),
    hasFile: row.has_file,
    ordinal: row.ordinal,
    adopted: row.adopted,
    isRestored: areAllReplaced(row.suspect ?? []),
    sidecar: row.sidecar,
    restoredInto: row.restored_into,
    insertedAt: iso(row.inserted_at)
  }
}
