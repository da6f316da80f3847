import { Type, type Static } from 'typebox'
import { BackupIdSchema } from './backup.ts'

/** One difference between a snapshot and the schema to restore it into. */
export const DriftSchema = Type.Object({
  table: Type.String(),
  column: Type.Optional(Type.String()),
  problem: Type.String()
}, { additionalProperties: false, title: 'Drift' })
export type Drift = Static<typeof DriftSchema>

/** The change of a sequence by a restore. Values are strings, since a JSON number may not represent them exactly. */
export const SequenceChangeSchema = Type.Object({
  name: Type.String({ description: 'Schema-qualified if it is in another schema' }),
  now: Type.String({ description: 'last_value when the plan was made' }),
  after: Type.String({ description: 'last_value after the restore' })
}, { additionalProperties: false, title: 'SequenceChange' })
export type SequenceChange = Static<typeof SequenceChangeSchema>

/** What a restore would do. `rowsNow` is exact, counted when the plan was made. */
export const RestorePlanSchema = Type.Object({
  id: BackupIdSchema,
  schema: Type.String(),
  tables: Type.Array(Type.Object({
    name: Type.String(),
    rowsNow: Type.Integer(),
    rowsAfter: Type.Integer()
  }, { additionalProperties: false })),
  untouched: Type.Array(Type.String(), { description: 'Tables of the schema that keep their rows' }),
  drift: Type.Array(DriftSchema),
  sequences: Type.Array(SequenceChangeSchema, { description: 'Sequences that the restore sets or may advance' }),
  warnings: Type.Array(Type.String(), {
    description: 'Why the restore may fail, or may change more than the rows of the snapshot, although `ok` is true'
  }),
  ok: Type.Boolean({ description: 'Whether a restore without allowSchemaDrift would be accepted' })
}, { additionalProperties: false, title: 'RestorePlan' })
export type RestorePlan = Static<typeof RestorePlanSchema>

export const RestoreResultSchema = Type.Object({
  id: BackupIdSchema,
  preRestoreId: BackupIdSchema,
  schema: Type.String(),
  tables: Type.Array(Type.Object({ name: Type.String(), rows: Type.Integer() }, { additionalProperties: false })),
  rowCount: Type.Integer(),
  drift: Type.Array(DriftSchema, { description: 'The differences that allowSchemaDrift ignored' }),
  durationMs: Type.Integer({ description: 'From the call until the rows are restored: the sum of the phases' }),
  phases: Type.Object({
    startMs: Type.Integer({
      description: 'Checks, the wait for a connection, the worker thread and its connection, the lock of the schema'
    }),
    verifyMs: Type.Integer({ description: 'Reading the whole file' }),
    planMs: Type.Integer({ description: 'The plan, which is made again under the locks' }),
    lockMs: Type.Integer({ description: 'The locks of the tables and sequences, and the wait for them' }),
    snapshotMs: Type.Integer({ description: 'The pre_restore snapshot' }),
    loadMs: Type.Integer({ description: 'TRUNCATE, the rows, foreign keys and COMMIT' }),
    finishMs: Type.Integer({ description: 'ANALYZE' })
  }, { additionalProperties: false, description: 'Milliseconds' })
}, { additionalProperties: false, title: 'RestoreResult' })
export type RestoreResult = Static<typeof RestoreResultSchema>

/** The result of reading a complete snapshot file. */
export const VerificationSchema = Type.Object({
  ok: Type.Boolean({ description: 'Whether a restore would accept the file' }),
  problems: Type.Array(Type.String())
}, { additionalProperties: false, title: 'Verification' })
export type Verification = Static<typeof VerificationSchema>
