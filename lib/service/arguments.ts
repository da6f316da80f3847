import Value from 'typebox/value'
import { ArgumentInvalid, SchemaNotAllowed } from '../errors.ts'
import { isPossibleName } from '../postgres/identifiers.ts'
import { BackupStatusSchema, BackupTriggerSchema } from '../../types/index.ts'
import type { Context } from './context.ts'
import { kindOf } from './outcome.ts'

/** What an argument takes, as a test and as words to name it in the error. */
interface ArgumentCheck { test: (value: unknown) => boolean, takes: string }

const longestNote = 1000
const longestActor = 200
const longestName = 127
const longestList = 1000
const longestPage = 1000

/** PostgreSQL's text can't hold NUL. */
const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.length <= 2 * longest && [...value].length <= longest && !value.includes('\0')
const isPageSize = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= longestPage
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isList = (value: unknown, shortest: number): boolean => Array.isArray(value) && value.length >= shortest && value.length <= longestList &&
  value.every((name) => isText(name, longestName) && name !== '')

const flag: ArgumentCheck = { takes: 'true or false', test: isFlag }
const note: ArgumentCheck = { takes: `text of at most ${longestNote} characters`, test: (value) => isText(value, longestNote) }
export const isNote = (value: unknown): value is string => note.test(value)
const schema: ArgumentCheck = { takes: 'the name of a schema: 1 to 63 bytes', test: (value) => typeof value === 'string' && isPossibleName(value) }
const tables = (shortest: number): ArgumentCheck => ({ takes: `a list of ${shortest} to ${longestList} table names`, test: (value) => isList(value, shortest) })

const longCall = {
  actor: { takes: `text of at most ${longestActor} characters`, test: (value: unknown) => isText(value, longestActor) },
  signal: { takes: 'an AbortSignal', test: (value: unknown) => value instanceof AbortSignal },
  onProgress: { takes: 'a function', test: (value: unknown) => typeof value === 'function' }
}
const planChecks = { schema, tables: tables(1) }

const calls = {
  create: { schema, excludeTables: tables(0), note, ...longCall },
  plan: planChecks,
  restore: { ...planChecks, allowSchemaDrift: flag, allowModified: flag, ...longCall },
  list: {
    schema,
    status: { takes: `one of ${BackupStatusSchema.enum.join(', ')}`, test: (value: unknown) => Value.Check(BackupStatusSchema, value) },
    trigger: { takes: `one of ${BackupTriggerSchema.enum.join(', ')}`, test: (value: unknown) => Value.Check(BackupTriggerSchema, value) },
    limit: { takes: `a whole number from 1 to ${longestPage}`, test: isPageSize },
    before: { takes: 'the next of a page before', test: (value: unknown) => typeof value === 'string' }
  },
  status: {
    schema,
    limit: { takes: `a whole number from 1 to ${longestPage}`, test: isPageSize },
    after: { takes: 'the newestNext of a page before', test: (value: unknown) => isText(value, longestName) }
  },
  verify: { signal: longCall.signal, onProgress: longCall.onProgress },
  rescan: { signal: longCall.signal, onProgress: longCall.onProgress },
  import: { note, ...longCall },
  update: { pinned: flag, accepted: flag, note: { takes: `${note.takes}, or null`, test: (value: unknown) => value === null || note.test(value) } }
}

/**
 * Throws FST_BACKUP_ARGUMENT_INVALID for an argument that is of a wrong type, or that the call does not know: a misspelt `tables`
 * must not restore all of them.
 */
export function checkArguments (call: keyof typeof calls, given: unknown): void {
  const checks: Record<string, ArgumentCheck> = calls[call]
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new ArgumentInvalid(`${call}() takes an object with ${Object.keys(checks).join(', ')}`)
  const values: Array<[string, unknown]> = Object.entries(given)
  for (const [name, value] of values) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) throw new ArgumentInvalid(`${call}() takes no ${name}; it takes ${Object.keys(checks).join(', ')}`)
    if (value !== undefined && !check.test(value)) throw new ArgumentInvalid(`${name} must be ${check.takes}`)
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function checkId (id: string): void {
  if (typeof id !== 'string' || !uuid.test(id)) throw new ArgumentInvalid('id must be the id of a backup: a UUID in lower case')
}

/** The schema that a call is about; what may not be named is refused before anybody learns whether it exists. */
export function requireAllowed ({ isAllowed }: Pick<Context, 'isAllowed'>, name: string): string {
  if (!isAllowed(name)) throw new SchemaNotAllowed(name)
  return name
}

/**
 * Whether the caller may see what is there of this schema. A function of the owner's that throws is logged and means no: another answer than for
 * what does not exist would tell that it does.
 */
export function mayName ({ isAllowed, logger }: Pick<Context, 'isAllowed' | 'logger'>, schema: string): boolean {
  try {
    return isAllowed(schema)
  } catch (error) {
    logger.error({ schema, reason: kindOf(error) }, 'the function in option schemas threw; the schema counts as not allowed')
    return false
  }
}
