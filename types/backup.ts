import { Type, type Static } from 'typebox'

// The title of a schema is its name in OpenAPI documents. `type` is for readers that need it beside `enum`

/** A value or null. */
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** ISO 8601 in UTC with milliseconds: `2026-11-22T17:45:00.123Z`. */
const Instant = Type.String({ description: 'ISO 8601, UTC, milliseconds' })

export const BackupIdSchema = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'A backup id: a UUID in lower case'
})

/** `restored` counts as completed everywhere: in downloads, restores, verification and retention. */
export const BackupStatusSchema = Type.Enum(['running', 'completed', 'failed', 'restored'], {
  type: 'string', title: 'BackupStatus'
})
export type BackupStatus = Static<typeof BackupStatusSchema>

export const BackupTriggerSchema = Type.Enum(['manual', 'scheduled', 'pre_restore', 'import'], {
  type: 'string', title: 'BackupTrigger'
})
export type BackupTrigger = Static<typeof BackupTriggerSchema>

/**
 * The progress of a backup, a restore, a verification, an import or a plan. `phase` and all numbers but the last two
 * describe the current phase: a restore has the phases `verify`, `snapshot` and `load`, and each of them counts from
 * zero. A plan has the phase `count`, which reads no file, so its `bytes` are 0. `percent` and `etaMs` describe the
 * complete run.
 */
export const ProgressSchema = Type.Object({
  phase: Type.Enum(['snapshot', 'verify', 'load', 'count'], { type: 'string' }),
  table: Nullable(Type.String({ description: 'The current table; null if there is none' })),
  tables: Type.Integer({ description: 'The number of tables' }),
  tablesDone: Type.Integer(),
  rows: Type.Integer({ description: 'Processed rows of all tables' }),
  rowsTotal: Nullable(Type.Integer({ description: 'Null if it is not known' })),
  bytes: Type.Integer({ description: 'Processed bytes of the snapshot file' }),
  bytesTotal: Nullable(Type.Integer({ description: 'Null if it is not known' })),
  estimated: Type.Boolean({ description: 'Whether the totals are an estimate' }),
  percent: Nullable(Type.Integer({
    minimum: 0,
    maximum: 100,
    description: 'Of the complete run. It never decreases, and is 100 only when the run has completed. ' +
      'Null if it is not known'
  })),
  etaMs: Nullable(Type.Integer({
    minimum: 0,
    description: 'Estimated milliseconds until the run completes. Null until the last phase has run for a second, ' +
      'and if it is not known'
  }))
}, { additionalProperties: false, title: 'Progress' })
export type Progress = Static<typeof ProgressSchema>

/** One restore of a snapshot. */
export const RestoreRecordSchema = Type.Object({
  status: Type.Enum(['running', 'completed', 'failed'], { type: 'string' }),
  schema: Type.String({ description: 'The schema whose rows it replaces' }),
  startedAt: Instant,
  finishedAt: Nullable(Instant),
  by: Nullable(Type.String()),
  preRestoreId: Nullable(BackupIdSchema),
  error: Nullable(Type.String({ description: 'Why it failed; never contains row data' })),
  errorCode: Nullable(Type.String({ description: 'The code of that error; null if it is not known' })),
  progress: Type.Optional(ProgressSchema)
}, { additionalProperties: false, title: 'RestoreRecord' })
export type RestoreRecord = Static<typeof RestoreRecordSchema>

/** The last check of a complete snapshot file, by a verification or by a restore that found it damaged. */
export const VerificationRecordSchema = Type.Object({
  ok: Type.Boolean({ description: 'False for a damaged file' }),
  at: Instant,
  problems: Type.Array(Type.String(), { description: 'The first five' })
}, { additionalProperties: false, title: 'VerificationRecord' })
export type VerificationRecord = Static<typeof VerificationRecordSchema>

/** A table that lost more rows than the option `guard` allows. */
export const SuspectTableSchema = Type.Object({
  table: Nullable(Type.String({ description: 'Null for the total of all tables' })),
  rowsBefore: Type.Integer({ description: 'The smallest number of rows in the snapshots of the comparison' }),
  rows: Type.Integer({ description: 'Also 0 when the table no longer exists' })
}, { additionalProperties: false, title: 'SuspectTable' })
export type SuspectTable = Static<typeof SuspectTableSchema>

/** Where the file of an import comes from, as its manifest says. Texts are cut to 200 characters. */
export const OriginSchema = Type.Object({
  id: BackupIdSchema,
  createdAt: Instant,
  database: Type.String({ description: 'The name of the database' }),
  postgres: Type.String({ description: 'The version of PostgreSQL' })
}, { additionalProperties: false, title: 'Origin' })
export type Origin = Static<typeof OriginSchema>

/** One run that takes a snapshot: a row of `backup_logs`. Sizes are in bytes, durations in milliseconds. */
export const BackupSchema = Type.Object({
  id: BackupIdSchema,
  schema: Type.String(),
  filename: Type.String(),
  status: BackupStatusSchema,
  trigger: BackupTriggerSchema,
  compression: Type.Enum(['none', 'gzip', 'zstd'], { type: 'string' }),
  sizeBytes: Nullable(Type.Integer({ description: 'Of the JSON' })),
  storedBytes: Nullable(Type.Integer({ description: 'Of the file, which may be compressed' })),
  tableCount: Nullable(Type.Integer()),
  rowCount: Nullable(Type.Integer()),
  checksum: Nullable(Type.String({
    description: 'The checksum of the manifest, which proves the complete file: `sha256:` and a hexadecimal digest'
  })),
  available: Type.Boolean({ description: 'Whether the snapshot file is in the storage' }),
  error: Nullable(Type.String({ description: 'Why the run failed; never contains row data' })),
  errorCode: Nullable(Type.String({ description: 'The code of that error; null if it is not known' })),
  createdBy: Nullable(Type.String()),
  cron: Nullable(Type.String({ description: 'The cron expression of the schedule that started the run' })),
  note: Nullable(Type.String()),
  origin: Nullable(OriginSchema),
  partial: Type.Boolean({ description: 'Whether the call that made it left tables out' }),
  excludedTables: Type.Array(Type.String(), {
    description: 'Tables that a partial snapshot leaves out, because of the call or of the option excludeTables. ' +
      'Empty for other snapshots, and for files that were imported or adopted'
  }),
  pinned: Type.Boolean(),
  suspect: Nullable(Type.Array(SuspectTableSchema, {
    description: 'Tables that lost too many rows; null if there are none'
  })),
  accepted: Type.Boolean({
    description: 'Whether an administrator accepted the snapshot, although it is suspect or was adopted'
  }),
  held: Type.Boolean({
    description: 'Not pruned, because a later snapshot is suspect, or because it was adopted and is not yet accepted'
  }),
  warnings: Type.Array(Type.String(), { description: 'What the snapshot does not contain and users may expect' }),
  verification: Nullable(VerificationRecordSchema),
  startedAt: Instant,
  finishedAt: Nullable(Instant),
  durationMs: Nullable(Type.Integer()),
  restoredAt: Nullable(Instant),
  restoredBy: Nullable(Type.String()),
  restore: Nullable(RestoreRecordSchema),
  restores: Type.Array(RestoreRecordSchema, {
    description: 'The newest 20 restores, and all that are running, newest first; `restore` is the first of them'
  }),
  progress: Type.Optional(ProgressSchema)
}, { additionalProperties: false, title: 'Backup' })
export type Backup = Static<typeof BackupSchema>

/** A backup that has just been completed: what create() and import() return. */
export interface CompletedBackup extends Backup {
  status: 'completed'
  sizeBytes: number
  storedBytes: number
  tableCount: number
  rowCount: number
  checksum: string
  finishedAt: string
  durationMs: number
  error: null
  errorCode: null
}

export const BackupListSchema = Type.Object({
  backups: Type.Array(BackupSchema),
  next: Nullable(Type.String({ description: 'Opaque cursor for `before`; null at the end' }))
}, { additionalProperties: false, title: 'BackupList' })
export type BackupList = Static<typeof BackupListSchema>
