import type { FastifyInstance, FastifySchemaCompiler, FastifyTypeProvider } from 'fastify'
import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** Gives handlers the types of their schemas. */
export interface TypeBoxTypeProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

/** All values in a query are text. Digits become a number where the schema has an integer; nothing else is converted. */
function readIntegers (schema: TSchema, query: object): object {
  const values: Array<[string, unknown]> = Object.entries(query)
  const isInteger = (name: string): boolean => Type.IsObject(schema) && Type.IsInteger(schema.properties[name])
  return Object.fromEntries(values.map(([name, value]) =>
    [name, isInteger(name) && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value]))
}

/** Checks values as they are: without the usual conversions, which read 1 from "true" and 0 from "". */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  return (given) => {
    const value = httpPart === 'querystring' ? readIntegers(schema, given) : given
    return validator.Check(value) ? { value } : { error: validator.Errors(value) }
  }
}

/** Names the part of the request, the key, and what is wrong with it. */
export const describeInvalid: Parameters<FastifyInstance['setSchemaErrorFormatter']>[0] = (errors, part) => {
  const problems = errors
    // A forbidden key is reported a second time, by its name, by the object that forbids it
    .filter((error) => error.keyword !== 'boolean')
    .map(({ instancePath, message, params }) => {
      const keys = Array.isArray(params.additionalProperties) ? `: ${params.additionalProperties.join(', ')}` : ''
      return `${part}${instancePath} ${message}${keys}`
    })
  return new Error(problems.join('; '))
}
