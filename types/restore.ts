import { Type, type Static } from 'typebox'
import { BackupIdSchema } from './backup.ts'

/** One difference between a snapshot and the schema to restore it into. */
export const DriftSchema = Type.Object({
  table: Type.String(),
  column: Type.Optional(Type.String()),
  problem: Type.String()
}, { additionalProperties: false })
export type Drift = Static<typeof DriftSchema>

/** The change of a sequence by a restore. Values are strings, since a JSON number may not represent them exactly. */
export const SequenceChangeSchema = Type.Object({
  name: Type.String({ description: 'Schema-qualified if it is in another schema' }),
  now: Type.String({ description: 'last_value when the plan was made' }),
  after: Type.String({ description: 'last_value after the restore' })
}, { additionalProperties: false })
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
  durationMs: Type.Integer(),
  phases: Type.Object({
    verifyMs: Type.Integer(),
    snapshotMs: Type.Integer(),
    loadMs: Type.Integer()
  }, { additionalProperties: false })
}, { additionalProperties: false, title: 'RestoreResult' })
export type RestoreResult = Static<typeof RestoreResultSchema>

/** The result of reading a complete snapshot file. */
export const VerificationSchema = Type.Object({
  ok: Type.Boolean({ description: 'Whether a restore would accept the file' }),
  problems: Type.Array(Type.String())
}, { additionalProperties: false, title: 'Verification' })
export type Verification = Static<typeof VerificationSchema>
