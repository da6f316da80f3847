import { Type } from 'typebox'
import { BackupIdSchema, BackupStatusSchema, BackupTriggerSchema } from '../../types/index.ts'

/** PostgreSQL's text can't hold NUL. */
const withoutNul = '^[^\\u0000]*$'

const SchemaName = Type.String({ minLength: 1, maxLength: 63, pattern: withoutNul })

const TableName = Type.String({ minLength: 1, maxLength: 127, pattern: withoutNul, description: '`name` or `schema.name`' })

const Note = Type.String({ maxLength: 1000, pattern: withoutNul })

const strict = { additionalProperties: false }

export const IdParams = Type.Object({ id: BackupIdSchema }, strict)

/** For routes that take none, so that an option in the wrong place is refused rather than overlooked. */
export const NoQuery = Type.Object({}, strict)

/** For routes that need none. */
export const NoBody = Type.Object({}, strict)

export const ListQuerySchema = Type.Object({
  schema: Type.Optional(SchemaName),
  status: Type.Optional(BackupStatusSchema),
  trigger: Type.Optional(BackupTriggerSchema),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: '100 unless told otherwise' })),
  before: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: '`next` of the page before' }))
}, strict)

export const StatusQuerySchema = Type.Object({
  schema: Type.Optional(SchemaName),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Of `newest`; 100 unless told otherwise' })),
  after: Type.Optional(Type.String({ minLength: 1, maxLength: 63, description: '`newestNext` of the page before' }))
}, strict)

export const CreateBody = Type.Object({
  schema: Type.Optional(SchemaName),
  excludeTables: Type.Optional(Type.Array(TableName, { maxItems: 1000, description: 'Left out besides the configured ones' })),
  note: Type.Optional(Note)
}, strict)

export const UpdateBody = Type.Object({
  pinned: Type.Optional(Type.Boolean({ description: 'A pinned snapshot is never pruned' })),
  note: Type.Optional(Type.Union([Note, Type.Null()])),
  accepted: Type.Optional(Type.Boolean({ description: 'An accepted snapshot is a baseline of later ones, and ends the hold of those before it' }))
}, strict)

const restoreTarget = {
  schema: Type.Optional(SchemaName),
  tables: Type.Optional(Type.Array(TableName, { minItems: 1, maxItems: 1000, description: 'All tables of the snapshot unless told otherwise' }))
}

export const PlanBody = Type.Object(restoreTarget, strict)

export const RestoreBody = Type.Object({
  ...restoreTarget,
  allowSchemaDrift: Type.Optional(Type.Boolean({ description: 'Go ahead although the schema has changed; what is missing is passed over' }))
}, strict)
