import type { FastifyInstance, FastifySchemaCompiler, FastifyTypeProvider } from 'fastify'
import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { BackupIdSchema } from '../../types/index.ts'
import { anInstant, withoutLeapSecond, withoutNul } from '../arguments/call-schemas.ts'

/** Infers the types of a handler's request and reply from the schemas. */
export interface TypeBoxTypeProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

/**
 * The values of a query are strings. Converts digits to a number if the schema requires an integer, and nothing else.
 */
function readIntegers (schema: TSchema, query: object): object {
  const values: Array<[string, unknown]> = Object.entries(query)
  const isInteger = (name: string): boolean => Type.IsObject(schema) && Type.IsInteger(schema.properties[name])
  return Object.fromEntries(values.map(([name, value]) =>
    [name, isInteger(name) && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value]))
}

/** Validates without the usual type coercion, which converts `true` to 1 and `""` to 0. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  return (given) => {
    const value = httpPart === 'querystring' ? readIntegers(schema, given) : given
    return validator.Check(value) ? { value } : { error: validator.Errors(value) }
  }
}

type Failure = Parameters<Parameters<FastifyInstance['setSchemaErrorFormatter']>[0]>[0][number]

/** What the values that a pattern accepts have in common, because few readers want to read the pattern. */
const patternWords = new Map<unknown, string>([
  [Reflect.get(BackupIdSchema, 'pattern'), 'must be the id of a backup: a UUID in lower case'],
  [withoutNul, 'must not contain the character NUL'],
  [withoutLeapSecond, `must be ${anInstant}`]
])

function describe ({ keyword, message = '', params }: Failure): string {
  if (keyword === 'format' && params.format === 'date-time') return `must be ${anInstant}`
  if (keyword === 'pattern') return patternWords.get(params.pattern) ?? message
  if (Array.isArray(params.allowedValues)) return `must be one of ${params.allowedValues.join(', ')}`
  const keys = Array.isArray(params.additionalProperties) ? `: ${params.additionalProperties.join(', ')}` : ''
  return `${message}${keys}`
}

/** Formats each validation error as the part of the request, the key and the problem. */
export const describeInvalid: Parameters<FastifyInstance['setSchemaErrorFormatter']>[0] = (errors, part) => {
  const problems = errors
    // A forbidden key is reported twice; the object that forbids it also reports its name. A value that may be null is
    // reported three times, by both alternatives and by their union
    .filter(({ keyword, params }) => keyword !== 'boolean' && keyword !== 'anyOf' && params.type !== 'null')
    .map((error) => `${part}${error.instancePath} ${describe(error)}`)
  // A text that is no instant has neither the format nor the pattern of one
  return new Error([...new Set(problems)].join('; '))
}
