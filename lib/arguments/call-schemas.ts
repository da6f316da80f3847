import { Type } from 'typebox'
import { BackupIdSchema, BackupStatusSchema, BackupTriggerSchema } from '../../types/index.ts'

/**
 * The arguments of the calls of the service. One schema per call validates both the body or query over HTTP and the
 * arguments by code. Lengths are in Unicode code points.
 */

/** The maximum lengths and sizes. */
export const limits = { actor: 200, note: 1000, name: 127, schemaName: 63, list: 1000, page: 1000, cursor: 500 }

const strict = { additionalProperties: false }

/** PostgreSQL's type text cannot contain NUL. */
export const withoutNul = '^[^\\u0000]*$'

/** At most 63 bytes in PostgreSQL (manual, 4.1.1), which checkArguments() counts. */
const SchemaName = Type.String({ minLength: 1, maxLength: limits.schemaName, pattern: withoutNul })
const TableName = Type.String({
  minLength: 1, maxLength: limits.name, pattern: withoutNul, description: '`name` or `schema.name`'
})
export const anInstant = 'an instant in ISO 8601 with a time zone, such as 2026-11-22T17:45:00Z'
/** `Date` does not read the leap second 60. */
export const withoutLeapSecond = '^.{17}[0-5]'
/** A time without a zone would mean another instant on each machine. */
const Instant = (description: string) => Type.String({ format: 'date-time', pattern: withoutLeapSecond, description })
const Page = Type.Integer({ minimum: 1, maximum: limits.page, description: 'The default is 100' })
export const NoteSchema = Type.String({ maxLength: limits.note, pattern: withoutNul })
export const ActorSchema = Type.String({ maxLength: limits.actor, pattern: withoutNul })

export const IdParams = Type.Object({ id: BackupIdSchema }, strict)

/** For routes without a query, so that an argument in the query instead of the body is an error and not ignored. */
export const EmptyQuery = Type.Object({}, strict)

/** For routes without a body. */
export const EmptyBody = Type.Object({}, strict)

export const DownloadQuery = Type.Object({
  as: Type.Optional(Type.Enum(['json'], {
    type: 'string', description: 'The JSON of a compressed snapshot; by default, its file as it is stored'
  }))
}, strict)

export const ListArguments = Type.Object({
  schema: Type.Optional(SchemaName),
  status: Type.Optional(BackupStatusSchema),
  trigger: Type.Optional(BackupTriggerSchema),
  limit: Type.Optional(Page),
  since: Type.Optional(Instant('Only backups that started at this instant or later')),
  until: Type.Optional(Instant('Only backups that started before this instant')),
  before: Type.Optional(Type.String({
    minLength: 1, maxLength: limits.cursor, description: '`next` of the previous page'
  }))
}, strict)

export const StatusArguments = Type.Object({
  schema: Type.Optional(SchemaName),
  limit: Type.Optional(Page),
  after: Type.Optional(Type.String({
    minLength: 1, maxLength: limits.schemaName, pattern: withoutNul, description: '`newestNext` of the previous page'
  }))
}, strict)

export const CreateArguments = Type.Object({
  schema: Type.Optional(SchemaName),
  excludeTables: Type.Optional(Type.Array(TableName, {
    maxItems: limits.list, description: 'Excluded in addition to the option excludeTables'
  })),
  note: Type.Optional(NoteSchema)
}, { ...strict, title: 'CreateArguments' })

export const UpdateArguments = Type.Object({
  pinned: Type.Optional(Type.Boolean({ description: 'A pinned snapshot is never pruned' })),
  note: Type.Optional(Type.Union([NoteSchema, Type.Null()])),
  accepted: Type.Optional(Type.Boolean({
    description: 'Later snapshots are compared with an accepted one, and earlier snapshots are no longer held'
  }))
}, { ...strict, title: 'UpdateArguments' })

export const PlanArguments = Type.Object({
  schema: Type.Optional(SchemaName),
  tables: Type.Optional(Type.Array(TableName, {
    minItems: 1, maxItems: limits.list, description: 'The default is all tables of the snapshot'
  }))
}, { ...strict, title: 'PlanArguments' })

export const RestoreArguments = Type.Object({
  ...PlanArguments.properties,
  allowSchemaDrift: Type.Optional(Type.Boolean({
    description: 'Restore although the schema has changed; skip tables and columns that no longer exist'
  }))
}, { ...strict, title: 'RestoreArguments' })
