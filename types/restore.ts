import { Type, type Static } from 'typebox'
import { BackupIdSchema } from './backup.ts'

/** One difference between a snapshot and the schema that it is to be restored into. */
export const DriftSchema = Type.Object({
  table: Type.String(),
  column: Type.Optional(Type.String()),
  problem: Type.String()
}, { additionalProperties: false })
export type Drift = Static<typeof DriftSchema>

/** What a restore does to a sequence. Values are text: they may exceed what a JSON number holds exactly. */
export const SequenceChangeSchema = Type.Object({
  name: Type.String({ description: 'With its schema in front where it lies in another one' }),
  now: Type.String({ description: 'last_value when the plan was made' }),
  after: Type.String({ description: 'last_value after the restore' })
}, { additionalProperties: false })
export type SequenceChange = Static<typeof SequenceChangeSchema>

/** What a restore would do. `rowsNow` is exact and was counted when the plan was made. */
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
  sequences: Type.Array(SequenceChangeSchema, { description: 'Sequences that the restore sets or may move forward' }),
  warnings: Type.Array(Type.String(), { description: 'What may make the restore fail, or change more than the rows of the snapshot tell, although the plan is ok' }),
  ok: Type.Boolean({ description: 'Whether a restore without allowSchemaDrift would go ahead' })
}, { additionalProperties: false, title: 'RestorePlan' })
export type RestorePlan = Static<typeof RestorePlanSchema>

export const RestoreResultSchema = Type.Object({
  id: BackupIdSchema,
  preRestoreId: BackupIdSchema,
  schema: Type.String(),
  tables: Type.Array(Type.Object({ name: Type.String(), rows: Type.Integer() }, { additionalProperties: false })),
  rowCount: Type.Integer(),
  drift: Type.Array(DriftSchema, { description: 'What allowSchemaDrift passed over' }),
  durationMs: Type.Integer(),
  phases: Type.Object({
    verifyMs: Type.Integer(),
    snapshotMs: Type.Integer(),
    loadMs: Type.Integer()
  }, { additionalProperties: false })
}, { additionalProperties: false, title: 'RestoreResult' })
export type RestoreResult = Static<typeof RestoreResultSchema>

/** What a look through a whole snapshot file found. */
export const VerificationSchema = Type.Object({
  ok: Type.Boolean({ description: 'Whether a restore would accept the file' }),
  problems: Type.Array(Type.String())
}, { additionalProperties: false, title: 'Verification' })
export type Verification = Static<typeof VerificationSchema>
