import { ArgumentInvalid, SchemaNotAllowed } from '../errors.ts'
import { isPossibleName } from '../postgres/identifiers.ts'
import type { Context } from './context.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const longestNote = 1000
const longestList = 1000

export function checkId (id: string): void {
  if (typeof id !== 'string' || !uuid.test(id)) throw new ArgumentInvalid('id must be the id of a backup: a UUID in lower case')
}

/** The schema that a call is about; what may not be named is refused before anybody learns whether it exists. */
export function checkSchema ({ options }: Context, name: string): string {
  if (typeof name !== 'string' || !isPossibleName(name)) throw new ArgumentInvalid('schema must be the name of a schema: 1 to 63 bytes')
  if (!options.isSchemaAllowed(name)) throw new SchemaNotAllowed(name)
  return name
}

export function checkNote (note: string | null | undefined): void {
  if (note != null && (typeof note !== 'string' || note.length > longestNote || note.includes('\0'))) throw new ArgumentInvalid(`note must be text of at most ${longestNote} characters`)
}

export function checkTableNames (option: string, names: string[] | undefined, atLeast: number): void {
  if (names === undefined) return
  if (!Array.isArray(names) || names.length < atLeast || names.length > longestList || !names.every((name) => typeof name === 'string' && name !== '')) {
    throw new ArgumentInvalid(`${option} must be a list of ${atLeast} to ${longestList} table names`)
  }
}

export function checkLimit (limit: number | undefined): void {
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1 || limit > 1000)) throw new ArgumentInvalid('limit must be a whole number from 1 to 1000')
}
