import { Type, type Static } from 'typebox'

/** A value or null, as JSON and the log table hold it. */
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** ISO 8601 in UTC with milliseconds: `2026-11-22T17:45:00.123Z`. */
const Instant = Type.String({ description: 'ISO 8601, UTC, milliseconds' })

export const BackupIdSchema = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'A backup id: a UUID in lower case'
})

/** `restored` counts as completed everywhere: download, restore again, retention. */
export const BackupStatusSchema = Type.Enum(['running', 'completed', 'failed', 'restored'])
export type BackupStatus = Static<typeof BackupStatusSchema>

export const BackupTriggerSchema = Type.Enum(['manual', 'scheduled', 'pre_restore', 'import'])
export type BackupTrigger = Static<typeof BackupTriggerSchema>

/** How far a running backup or restore is. */
export const ProgressSchema = Type.Object({
  phase: Type.Enum(['snapshot', 'verify', 'load']),
  table: Nullable(Type.String({ description: 'The table at hand' })),
  tables: Type.Integer({ description: 'Tables to do' }),
  tablesDone: Type.Integer(),
  rows: Type.Integer({ description: 'Rows done, all tables together' }),
  bytes: Type.Integer({ description: 'Bytes of the snapshot file done' })
}, { additionalProperties: false })
export type Progress = Static<typeof ProgressSchema>

/** The newest restore of a snapshot. */
export const RestoreRecordSchema = Type.Object({
  status: Type.Enum(['running', 'completed', 'failed']),
  startedAt: Instant,
  finishedAt: Nullable(Instant),
  by: Nullable(Type.String()),
  preRestoreId: Nullable(BackupIdSchema),
  error: Nullable(Type.String())
}, { additionalProperties: false })
export type RestoreRecord = Static<typeof RestoreRecordSchema>

/** A table that lost more rows than the option `guard` allows. */
export const SuspectTableSchema = Type.Object({
  table: Nullable(Type.String({ description: 'Null: all tables together' })),
  rowsBefore: Type.Integer({ description: 'The smallest number of rows in the snapshots that it was compared with' }),
  rows: Type.Integer({ description: '0 as well when the table no longer exists' })
}, { additionalProperties: false })
export type SuspectTable = Static<typeof SuspectTableSchema>

/** One run that made a snapshot: a row of `backup_logs`. Sizes are bytes, durations milliseconds. */
export const BackupSchema = Type.Object({
  id: BackupIdSchema,
  schema: Type.String(),
  filename: Type.String(),
  status: BackupStatusSchema,
  trigger: BackupTriggerSchema,
  compression: Type.Enum(['none']),
  sizeBytes: Nullable(Type.Integer()),
  tableCount: Nullable(Type.Integer()),
  rowCount: Nullable(Type.Integer()),
  checksum: Nullable(Type.String({ description: 'sha256: and the hex digest of the whole file' })),
  available: Type.Boolean({ description: 'Whether the snapshot file is there' }),
  error: Nullable(Type.String({ description: 'Why it failed; never row data' })),
  createdBy: Nullable(Type.String()),
  cron: Nullable(Type.String({ description: 'The schedule that asked for it' })),
  note: Nullable(Type.String()),
  pinned: Type.Boolean(),
  suspect: Nullable(Type.Array(SuspectTableSchema, { description: 'Tables that shrank; null when none did' })),
  accepted: Type.Boolean({ description: 'Somebody looked at the snapshot and found it good, although it is suspect or was adopted' }),
  held: Type.Boolean({ description: 'Not pruned, because a later snapshot is suspect, or because it was adopted and nobody accepted it yet' }),
  warnings: Type.Array(Type.String(), { description: 'What the snapshot does not hold and a reader might expect' }),
  startedAt: Instant,
  finishedAt: Nullable(Instant),
  durationMs: Nullable(Type.Integer()),
  restoredAt: Nullable(Instant),
  restoredBy: Nullable(Type.String()),
  restore: Nullable(RestoreRecordSchema),
  progress: Type.Optional(ProgressSchema)
}, { additionalProperties: false, title: 'Backup' })
export type Backup = Static<typeof BackupSchema>

export const BackupListSchema = Type.Object({
  backups: Type.Array(BackupSchema),
  next: Nullable(Type.String({ description: 'Opaque cursor for `before`; null at the end' }))
}, { additionalProperties: false })
export type BackupList = Static<typeof BackupListSchema>
