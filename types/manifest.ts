import { Type, type Static } from 'typebox'
import { BackupIdSchema, BackupTriggerSchema } from './backup.ts'

export const ManifestColumnSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  /** As `format_type()` writes it, relative to the snapshot's schema. */
  type: Type.String({ minLength: 1 }),
  /** How its values are written in JSON; said only where the type's name does not tell: `number` for a domain over integer, say. */
  encoding: Type.Optional(Type.Enum(['boolean', 'number', 'text', 'jsonb', 'boolean[]', 'number[]', 'text[]'])),
  /** Between the elements of an array, where it is no comma: `;` for box (pg_type.typdelim). */
  delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
  /** The table generates its values by a function; a restore compares them with those that it generates then. */
  generated: Type.Optional(Type.Boolean())
}, { additionalProperties: false })
export type ManifestColumn = Static<typeof ManifestColumnSchema>

export const ManifestTableSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  rows: Type.Integer({ minimum: 0 }),
  /** Partitions that held rows, with their schema in front where it is not the snapshot's. */
  partitions: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  columns: Type.Array(ManifestColumnSchema)
}, { additionalProperties: false })
export type ManifestTable = Static<typeof ManifestTableSchema>

export const ManifestSequenceSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  /** Only where it lies in another schema than the snapshot's. */
  schema: Type.Optional(Type.String({ minLength: 1 })),
  ownedBy: Type.Union([Type.String(), Type.Null()], { description: '`table.column`, or null' }),
  /** Of the table that owns it; only where that lies in another schema than the snapshot's. */
  ownerSchema: Type.Optional(Type.String({ minLength: 1 })),
  lastValue: Type.String({ pattern: '^-?[0-9]{1,19}$' }),
  isCalled: Type.Boolean()
}, { additionalProperties: false })
export type ManifestSequence = Static<typeof ManifestSequenceSchema>

/** The head of a snapshot file: what it holds, in which order, and the checksum of its data part. */
export const ManifestSchema = Type.Object({
  version: Type.Literal(1),
  id: BackupIdSchema,
  schema: Type.String({ minLength: 1 }),
  createdAt: Type.String(),
  trigger: BackupTriggerSchema,
  note: Type.Union([Type.String(), Type.Null()]),
  /** The call itself left tables out, besides those of the configuration. */
  partial: Type.Optional(Type.Boolean()),
  database: Type.String(),
  postgres: Type.String(),
  tables: Type.Array(ManifestTableSchema),
  sequences: Type.Array(ManifestSequenceSchema),
  totalRows: Type.Integer({ minimum: 0 }),
  totalTables: Type.Integer({ minimum: 0 }),
  checksum: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })
}, { additionalProperties: false, title: 'Manifest' })
export type Manifest = Static<typeof ManifestSchema>
