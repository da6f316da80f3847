import { Type, type Static } from 'typebox'
import { BackupSchema } from './backup.ts'

/** How the service stands. */
export const StatusSchema = Type.Object({
  healthy: Type.Boolean({ description: 'False when the newest finished run of a schema failed, or with a problem' }),
  problem: Type.Optional(Type.String({ description: 'Why nothing is scheduled or pruned: the storage belongs to another service' })),
  allowRestore: Type.Boolean(),
  nextRunAt: Type.Union([Type.String(), Type.Null()], { description: 'The next slot of the schedule, or null without one' }),
  running: Type.Array(BackupSchema, { description: 'Backups that run, and snapshots that are being restored, in any replica' }),
  newest: Type.Array(BackupSchema, { description: 'The newest completed backup of each schema' }),
  bytesHeld: Type.Integer({ description: 'Bytes of all completed snapshots, by the log' })
}, { additionalProperties: false, title: 'Status' })
export type Status = Static<typeof StatusSchema>
