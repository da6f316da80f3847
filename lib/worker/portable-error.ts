import * as ownErrors from '../errors.ts'
import { publicDatabaseError } from '../postgres/database-error.ts'

/** An error as plain data. The structured clone of one would lose its code, and all that was put on it. */
export interface PortableError {
  name: string
  message: string
  stack: string | undefined
  code: string | undefined
  /** Of this library's own errors: what callers act on, and plain causes. */
  details: Record<string, unknown>
  /** Where that is an error, of the file system say. */
  cause: PortableError | undefined
}

const detailNames = ['problems', 'drift', 'cause']
/** One of each of this library's errors, with empty details. */
const make = (constructor: Function): Error & { code: string } => Reflect.construct(constructor, ['', ''])
const constructors = new Map<string, Function>(Object.values(ownErrors).map((constructor) => [make(constructor).code, constructor]))

/** Of a database error only what may be told comes along. */
export function toPortable (thrown: unknown): PortableError {
  const error = publicDatabaseError(thrown)
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined, code: undefined, details: {}, cause: undefined }
  const { name, message, stack, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const isOwn = code !== undefined && constructors.has(code)
  const details = isOwn ? Object.entries(error).filter(([detail, value]) => detailNames.includes(detail) && !(value instanceof Error)) : []
  return { name, message, stack, code, details: Object.fromEntries(details), cause: isOwn && cause instanceof Error ? toPortable(cause) : undefined }
}

/** The same class again where it is one of this library's. */
export function fromPortable ({ name, message, stack, code, details, cause }: PortableError): Error {
  const constructor = constructors.get(code ?? '')
  const error = constructor === undefined ? Object.assign(new Error(), { name, ...code !== undefined && { code } }) : make(constructor)
  return Object.assign(error, { message, stack, ...details, ...cause !== undefined && { cause: fromPortable(cause) } })
}
