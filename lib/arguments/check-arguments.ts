import { Type, type TSchema } from 'typebox'
import Value from 'typebox/value'
import { ArgumentInvalid } from '../errors.ts'
import { isPossibleName } from '../postgres/identifiers.ts'
import { BackupIdSchema, BackupStatusSchema, BackupTriggerSchema } from '../../types/index.ts'
import {
  ActorSchema, anInstant, CreateArguments, DownloadQuery, limits, ListArguments, NoteSchema, PlanArguments,
  RestoreArguments, StatusArguments, UpdateArguments
} from './call-schemas.ts'

/** Arguments that only calls by code have. */
const Signal = Type.Refine(Type.Unknown(), (value) => value instanceof AbortSignal)
const Callback = Type.Refine(Type.Unknown(), (value) => typeof value === 'function')

const longCall = { signal: Signal, onProgress: Callback }
const actorCall = { actor: ActorSchema, ...longCall }

/** The arguments of each call by code: those over HTTP, and some that only code can pass. */
const calls = {
  create: { ...CreateArguments.properties, ...actorCall },
  plan: { ...PlanArguments.properties, ...longCall },
  restore: { ...RestoreArguments.properties, allowModified: Type.Boolean(), ...actorCall },
  list: ListArguments.properties,
  // An empty text is the first page
  status: { ...StatusArguments.properties, after: Type.String({ maxLength: limits.schemaName }) },
  verify: longCall,
  rescan: longCall,
  import: { note: NoteSchema, sizeBytes: Type.Integer({ minimum: 0 }), ...actorCall },
  update: UpdateArguments.properties,
  download: DownloadQuery.properties
}

const aFlag = 'true or false'

/** The expected values, for error messages. */
const expectations: Record<string, string> = {
  schema: `the name of a schema: 1 to ${limits.schemaName} bytes`,
  tables: `a list of 1 to ${limits.list} table names`,
  excludeTables: `a list of at most ${limits.list} table names`,
  note: `text of at most ${limits.note} characters`,
  actor: `text of at most ${limits.actor} characters`,
  sizeBytes: 'a number of bytes',
  signal: 'an AbortSignal',
  onProgress: 'a function',
  allowSchemaDrift: aFlag,
  allowModified: aFlag,
  pinned: aFlag,
  accepted: aFlag,
  as: "'json'",
  status: `one of ${BackupStatusSchema.enum.join(', ')}`,
  trigger: `one of ${BackupTriggerSchema.enum.join(', ')}`,
  limit: `an integer from 1 to ${limits.page}`,
  since: anInstant,
  until: anInstant,
  before: 'the next of the previous page',
  after: 'the newestNext of the previous page'
}

const isValid = (name: string, schema: TSchema, value: unknown): boolean =>
  Value.Check(schema, value) && (name !== 'schema' || (typeof value === 'string' && isPossibleName(value)))

/**
 * Throws FST_BACKUP_ARGUMENT_INVALID for an argument of the wrong type and for an unknown argument: a misspelt
 * `tables` must not restore all tables.
 */
export function checkArguments (call: keyof typeof calls, given: unknown): void {
  const schemas: Record<string, TSchema> = calls[call]
  const names = Object.keys(schemas).join(', ')
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ArgumentInvalid(`${call}() accepts an object with ${names}`)
  }
  const values: Array<[string, unknown]> = Object.entries(given)
  for (const [name, value] of values) {
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined
    if (schema === undefined) throw new ArgumentInvalid(`${call}() does not accept ${name}; it accepts ${names}`)
    if (value !== undefined && !isValid(name, schema, value)) {
      throw new ArgumentInvalid(`${name} must be ${String(expectations[name])}`)
    }
  }
}

export const isNote = (value: unknown): value is string => Value.Check(NoteSchema, value)

export function checkId (id: string): void {
  if (!Value.Check(BackupIdSchema, id)) throw new ArgumentInvalid('id must be the id of a backup: a UUID in lower case')
}
