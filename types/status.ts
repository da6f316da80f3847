import { Type, type Static } from 'typebox'
import { BackupSchema } from './backup.ts'

/**
 * What keeps the service from being healthy:
 * - `database_unavailable`: the database is down, so most of the status is not known
 * - `log_unusable`: the log table can not be read
 * - `clock_differs`: the clocks of service and database differ by more than a minute
 * - `storage_unavailable`: the storage can not be asked for its files
 * - `storage_missing`: the storage is not the one that the log knows; nothing is written to it
 * - `storage_taken`: the storage belongs to another service; nothing is scheduled, pruned or adopted
 * - `files_missing`: completed backups have no file in the storage
 * - `files_unknown`: files in the storage have no row in the log
 * - `run_failed`: the last finished run of a schema failed
 * - `schemas_unknown`: the function `schedule.schemas` fails, or does not answer
 * - `schema_missing`: the database has no such schema, and the schedule names it
 * - `snapshot_too_old`: the newest available snapshot of a scheduled schema is older than the schedule's interval and a grace, or there is none
 * - `suspect_snapshot`: the newest snapshot of a schema lost many rows, and nobody has accepted that
 * - `file_undeletable`: a file of a removed backup can not be deleted
 * - `snapshot_in_future`: a snapshot is dated later than the database's clock
 */
export const ProblemCodeSchema = Type.Enum([
  'database_unavailable', 'log_unusable', 'clock_differs', 'storage_unavailable', 'storage_missing', 'storage_taken', 'files_missing', 'files_unknown', 'run_failed',
  'schemas_unknown', 'schema_missing', 'snapshot_too_old', 'suspect_snapshot', 'file_undeletable', 'snapshot_in_future'
])
export type ProblemCode = Static<typeof ProblemCodeSchema>

export const ProblemSchema = Type.Object({
  code: ProblemCodeSchema,
  message: Type.String({ description: 'What is wrong, and what to do' }),
  since: Type.Union([Type.String(), Type.Null()], { description: 'ISO 8601, or null where it is not known' })
}, { additionalProperties: false, title: 'Problem' })
export type Problem = Static<typeof ProblemSchema>

/** How the service stands. */
export const StatusSchema = Type.Object({
  healthy: Type.Boolean({ description: 'True when there is no problem' }),
  problems: Type.Array(ProblemSchema, { description: 'One for each code; its message names the schemas' }),
  allowRestore: Type.Boolean(),
  nextRunAt: Type.Union([Type.String(), Type.Null()], { description: 'The next slot of the schedule, or null without one' }),
  running: Type.Array(BackupSchema, { description: 'Backups that run, and snapshots that are being restored, in any replica' }),
  newest: Type.Array(BackupSchema, { description: 'The newest completed backup of each schema, a page in the order of the names' }),
  newestNext: Type.Union([Type.String(), Type.Null()], { description: 'The `after` of the next page; null at the end' }),
  bytesHeld: Type.Union([Type.Integer(), Type.Null()], { description: 'Bytes of all snapshots that are in the storage; null when that is not known' })
}, { additionalProperties: false, title: 'Status' })
export type Status = Static<typeof StatusSchema>
