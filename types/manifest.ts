import { Type, type Static } from 'typebox'
import { BackupIdSchema, BackupTriggerSchema } from './backup.ts'

export const ManifestColumnSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  /** The output of `format_type()`, relative to the schema of the snapshot. */
  type: Type.String({ minLength: 1 }),
  /**
   * How the values are written in JSON. Only present if the name of the type does not determine it: `number` for a
   * domain over integer, for example.
   */
  encoding: Type.Optional(Type.Enum(['boolean', 'number', 'text', 'jsonb', 'boolean[]', 'number[]', 'text[]'], {
    type: 'string'
  })),
  /** The delimiter of array elements, if it is not a comma: `;` for box (pg_type.typdelim). */
  delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
  /**
   * The table generates the values by a function. A restore compares them with the values that the table then
   * generates.
   */
  generated: Type.Optional(Type.Boolean())
}, { additionalProperties: false, title: 'ManifestColumn' })
export type ManifestColumn = Static<typeof ManifestColumnSchema>

const Checksum = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })

export const ManifestTableSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  rows: Type.Integer({ minimum: 0 }),
  /** Position in the file of the bracket that opens the list of the rows. The first byte of the file has 0. */
  offset: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  /** Length of the list of the rows, with both brackets. */
  bytes: Type.Integer({ minimum: 2, maximum: Number.MAX_SAFE_INTEGER }),
  /** `sha256:` and the hexadecimal digest of the list of the rows, with both brackets. */
  checksum: Checksum,
  /** Partitions that contained rows; schema-qualified if they are not in the schema of the snapshot. */
  partitions: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  columns: Type.Array(ManifestColumnSchema)
}, { additionalProperties: false, title: 'ManifestTable' })
export type ManifestTable = Static<typeof ManifestTableSchema>

export const ManifestSequenceSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  /** Only present if it is not the schema of the snapshot. */
  schema: Type.Optional(Type.String({ minLength: 1 })),
  ownedBy: Type.Union([Type.String(), Type.Null()], { description: '`table.column`, or null' }),
  /** The schema of the owning table. Only present if it is not the schema of the snapshot. */
  ownerSchema: Type.Optional(Type.String({ minLength: 1 })),
  lastValue: Type.String({ pattern: '^-?[0-9]{1,19}$' }),
  isCalled: Type.Boolean()
}, { additionalProperties: false, title: 'ManifestSequence' })
export type ManifestSequence = Static<typeof ManifestSequenceSchema>

/** The head of a snapshot file: its contents, in order, and the checksum that proves the complete file. */
export const ManifestSchema = Type.Object({
  version: Type.Literal(1),
  id: BackupIdSchema,
  schema: Type.String({ minLength: 1 }),
  createdAt: Type.String(),
  trigger: BackupTriggerSchema,
  note: Type.Union([Type.String(), Type.Null()]),
  /** The call excluded tables in addition to those of the configuration. */
  partial: Type.Optional(Type.Boolean()),
  database: Type.String(),
  postgres: Type.String(),
  tables: Type.Array(ManifestTableSchema),
  sequences: Type.Array(ManifestSequenceSchema),
  totalRows: Type.Integer({ minimum: 0 }),
  totalTables: Type.Integer({ minimum: 0 }),
  /**
   * `sha256:` and the hexadecimal digest of the manifest's own bytes, from its brace up to the comma before this key,
   * which is the last one.
   */
  checksum: Checksum
}, { additionalProperties: false, title: 'Manifest' })
export type Manifest = Static<typeof ManifestSchema>
