import { Type, type Static } from 'typebox'
import { BackupIdSchema, BackupSchema } from './backup.ts'

/**
 * The problems of a service that is not healthy:
 * - `database_unavailable`: the database is not available, so most of the status is unknown
 * - `log_unusable`: the log table cannot be read
 * - `clock_differs`: the clocks of service and database differ by more than a minute
 * - `storage_unavailable`: the files of the storage cannot be listed
 * - `storage_missing`: the present storage does not belong to the log; nothing is written to it
 * - `storage_taken`: the storage belongs to another service; nothing is scheduled, pruned or adopted
 * - `files_missing`: completed backups have no file in the storage
 * - `files_unknown`: files in the storage have no row in the log
 * - `run_failed`: the last finished run of a schema failed
 * - `schemas_unknown`: the function `schedule.schemas` fails or does not return in time
 * - `schema_missing`: the schedule includes a schema that does not exist
 * - `snapshot_too_old`: a scheduled schema has no good snapshot, or the newest one is older than the interval of the
 *   schedule plus a tolerance
 * - `snapshot_damaged`: the last check of a snapshot file found it damaged
 * - `suspect_snapshot`: the newest snapshot of a schema is suspect and has not been accepted
 * - `file_undeletable`: a file of a removed backup cannot be deleted
 * - `snapshot_in_future`: a snapshot is dated later than the database's clock
 */
export const ProblemCodeSchema = Type.Enum([
  'database_unavailable', 'log_unusable', 'clock_differs', 'storage_unavailable', 'storage_missing', 'storage_taken',
  'files_missing', 'files_unknown', 'run_failed', 'schemas_unknown', 'schema_missing', 'snapshot_too_old',
  'snapshot_damaged', 'suspect_snapshot', 'file_undeletable', 'snapshot_in_future'
], { type: 'string', title: 'ProblemCode' })
export type ProblemCode = Static<typeof ProblemCodeSchema>

export const ProblemSchema = Type.Object({
  code: ProblemCodeSchema,
  message: Type.String({ description: 'What is wrong and what to do' }),
  since: Type.Union([Type.String(), Type.Null()], { description: 'ISO 8601, or null if it is not known' }),
  backupIds: Type.Array(BackupIdSchema, { maxItems: 100, description: 'Backups that it is about, at most 100' }),
  schemas: Type.Array(Type.String(), { maxItems: 100, description: 'Schemas that it is about, at most 100' })
}, { additionalProperties: false, title: 'Problem' })
export type Problem = Static<typeof ProblemSchema>

/** What the caller may do. By code everything is permitted that the options allow. */
export const PermissionsSchema = Type.Object({
  create: Type.Boolean(),
  restore: Type.Boolean({ description: 'Also false without the option allowRestore' }),
  import: Type.Boolean(),
  remove: Type.Boolean({ description: 'Also to unpin a snapshot, and to change `accepted`' })
}, { additionalProperties: false, title: 'Permissions' })
export type Permissions = Static<typeof PermissionsSchema>

/** Good is a full snapshot whose file is present and not damaged, and that is not suspect unless it was accepted. */
export const GoodSnapshotSchema = Type.Object({
  schema: Type.String(),
  backup: Type.Union([BackupSchema, Type.Null()], { description: 'Null if the schema has no good snapshot' })
}, { additionalProperties: false, title: 'GoodSnapshot' })
export type GoodSnapshot = Static<typeof GoodSnapshotSchema>

/** The health of the service, its current runs and its newest backups. */
export const StatusSchema = Type.Object({
  healthy: Type.Boolean({ description: 'True when there is no problem' }),
  problems: Type.Array(ProblemSchema, { description: 'At most one for each code; its message names the schemas' }),
  allowRestore: Type.Boolean(),
  can: PermissionsSchema,
  nextRunAt: Type.Union([Type.String(), Type.Null()], {
    description: 'The next slot of the schedule; null without a schedule'
  }),
  running: Type.Array(BackupSchema, { description: 'Backups that are running or being restored, of all replicas' }),
  newest: Type.Array(BackupSchema, {
    description: 'The newest completed backup of each schema; one page, ordered by the name of the schema'
  }),
  newestGood: Type.Array(GoodSnapshotSchema, {
    description: 'The newest good snapshot of each schema of `newest`, in the same order; empty if the storage ' +
      'cannot be listed'
  }),
  newestNext: Type.Union([Type.String(), Type.Null()], {
    description: 'The `after` of the next page; null at the end'
  }),
  bytesHeld: Type.Union([Type.Integer(), Type.Null()], {
    description: 'The size of all snapshots in the storage, in bytes; null if it is not known'
  })
}, { additionalProperties: false, title: 'Status' })
export type Status = Static<typeof StatusSchema>
