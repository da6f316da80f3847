import * as ownErrors from '../errors.ts'
import { publicDatabaseError } from '../postgres/database-error.ts'

/** An error as plain data. The structured clone of an error loses its code and its other properties. */
export interface PortableError {
  name: string
  message: string
  stack: string | undefined
  code: string | undefined
  /** For errors of this library: the properties that callers use, and a cause that is not an error. */
  details: Record<string, unknown>
  /** A cause that is an error, for example of the file system. */
  cause: PortableError | undefined
}

const detailNames = ['problems', 'drift', 'cause']
/** An error of this library, with empty details. */
const make = (constructor: Function): Error & { code: string } => Reflect.construct(constructor, ['', ''])
const constructors = new Map<string, Function>(
  Object.values(ownErrors).map((constructor) => [make(constructor).code, constructor])
)

/** Converts an error. Of a database error, only the public part is kept. */
export function toPortable (thrown: unknown): PortableError {
  const error = publicDatabaseError(thrown)
  if (!(error instanceof Error)) return withoutStack(String(error))
  const { name, message, stack, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const isOwn = code !== undefined && constructors.has(code)
  return {
    name,
    message,
    stack,
    code,
    details: isOwn ? detailsOf(error) : {},
    cause: isOwn && cause instanceof Error ? toPortable(cause) : undefined
  }
}

const withoutStack = (message: string): PortableError =>
  ({ name: 'Error', message, stack: undefined, code: undefined, details: {}, cause: undefined })

const detailsOf = (error: Error): Record<string, unknown> => Object.fromEntries(
  Object.entries(error).filter(([name, value]) => detailNames.includes(name) && !(value instanceof Error))
)

/** Converts back. An error of this library has its class again. */
export function fromPortable ({ name, message, stack, code, details, cause }: PortableError): Error {
  const constructor = constructors.get(code ?? '')
  const error = constructor === undefined
    ? Object.assign(new Error(), { name, ...code !== undefined && { code } })
    : make(constructor)
  return Object.assign(error, { message, stack, ...details, ...cause !== undefined && { cause: fromPortable(cause) } })
}
