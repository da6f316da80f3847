import type { FastifyInstance, FastifySchemaCompiler, FastifyTypeProvider } from 'fastify'
import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

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

/** Formats each validation error as the part of the request, the key and the problem. */
export const describeInvalid: Parameters<FastifyInstance['setSchemaErrorFormatter']>[0] = (errors, part) => {
  const problems = errors
    // A forbidden key is reported twice; the object that forbids it also reports its name
    .filter((error) => error.keyword !== 'boolean')
    .map(({ instancePath, message, params }) => {
      const keys = Array.isArray(params.additionalProperties) ? `: ${params.additionalProperties.join(', ')}` : ''
      return `${part}${instancePath} ${message}${keys}`
    })
  return new Error(problems.join('; '))
}
