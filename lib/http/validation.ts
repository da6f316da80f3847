import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'
import { Type, type TSchema } from 'typebox'

/** A query is all text. Of that, digits become a number where the schema has one, and nothing else does. */
function readIntegers (schema: TSchema, query: object): object {
  const values: Array<[string, unknown]> = Object.entries(query)
  const isInteger = (name: string): boolean => Type.IsObject(schema) && Type.IsInteger(schema.properties[name])
  return Object.fromEntries(values.map(([name, value]) =>
    [name, isInteger(name) && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value]))
}

/**
 * TypeBox's compiler without its conversions, which read 5 from "5.7", 1 from "true" and 0 from "".
 * It takes none for bodies, so everything is one to it.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = (route) => {
  const validate = TypeBoxValidatorCompiler({ ...route, httpPart: 'body' })
  return route.httpPart === 'querystring' ? (query) => validate(readIntegers(route.schema, query)) : validate
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
