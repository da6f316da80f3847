import { examples } from './schema-examples.ts'

/** What @fastify/swagger gives to `swaggerTransform` of the document so far: OpenAPI 3.x, or Swagger 2.0. */
export type DocumentSoFar = { openapiObject: OpenapiObject } | { swaggerObject: SwaggerObject }

export interface OpenapiObject {
  openapi: string
  components: { schemas: Record<string, unknown> }
  paths: Record<string, Record<string, { operationId?: string, requestBody?: { required?: boolean } }>>
}

interface SwaggerObject { definitions: Record<string, unknown> }

export type JsonSchema = Readonly<Record<string, unknown>>

/** What the versions of OpenAPI write differently. */
interface Dialect {
  /** Where the named schemas are. */
  schemasPath: string
  /** `schema` or null. */
  nullable: (schema: JsonSchema) => JsonSchema
  constant: (value: unknown) => JsonSchema
  example: (value: unknown) => JsonSchema
  file: JsonSchema
}

type Convert = (schema: JsonSchema) => JsonSchema

export const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null

export function mapSchemas (schemas: object, map: (schema: JsonSchema, key: string) => JsonSchema): JsonSchema {
  const entries: Array<[string, JsonSchema]> = Object.entries(schemas)
  return Object.fromEntries(entries.map(([key, schema]) => [key, map(schema, key)]))
}

const isReference = (schema: JsonSchema): boolean => '$ref' in schema

const inEnum = (value: unknown): JsonSchema => ({ enum: [value] })
const asExample = (example: unknown): JsonSchema => ({ example })
const binary: JsonSchema = { type: 'string', format: 'binary' }

const version2: Dialect = {
  schemasPath: '#/definitions/',
  // The specification has no null; this extension is the usual one
  nullable: (schema) => ({ ...isReference(schema) ? { allOf: [schema] } : schema, 'x-nullable': true }),
  constant: inEnum,
  example: asExample,
  file: { type: 'file' }
}

const version30: Dialect = {
  schemasPath: '#/components/schemas/',
  // `nullable` applies only to a `type` beside it
  nullable: (schema) => isReference(schema)
    ? { anyOf: [schema, { type: 'object', nullable: true, enum: [null] }] }
    : { ...schema, nullable: true },
  constant: inEnum,
  example: asExample,
  file: binary
}

const version31: Dialect = {
  ...version30,
  nullable: (schema) => isReference(schema)
    ? { anyOf: [schema, { type: 'null' }] }
    : { ...schema, type: [schema.type, 'null'] },
  constant: (value) => ({ const: value }),
  example: (value) => ({ examples: [value] })
}

/** Writes schemas in the dialect of a document. */
export interface DocumentWriter {
  isVersion2: boolean
  /** The schema of a file. */
  file: JsonSchema
  /** Converts a schema. One that has a title is added to the named schemas, and the result refers to it. */
  convert: (schema: JsonSchema) => JsonSchema
  /** Converts the properties of a schema for parameters, which cannot refer to named schemas in Swagger 2.0. */
  convertParameters: (schema: JsonSchema) => JsonSchema
}

export function createDocumentWriter (document: DocumentSoFar): DocumentWriter {
  if ('swaggerObject' in document) return createWriter(version2, document.swaggerObject.definitions)
  const { openapi, components } = document.openapiObject
  return createWriter(openapi.startsWith('3.0') ? version30 : version31, components.schemas)
}

function createWriter (dialect: Dialect, named: Record<string, unknown>): DocumentWriter {
  const isVersion2 = dialect === version2

  function convert ({ title, ...schema }: JsonSchema): JsonSchema {
    const converted = convertSchema(schema, dialect, convert)
    if (typeof title !== 'string') return converted
    const example = Object.hasOwn(examples, title) ? dialect.example(examples[title]) : {}
    return { $ref: dialect.schemasPath + addNamed(named, title, { ...converted, ...example }) }
  }

  return {
    isVersion2,
    file: dialect.file,
    convert,
    convertParameters: (schema) =>
      convertSchema(schema, dialect, isVersion2 ? ({ title, ...property }) => convert(property) : convert)
  }
}

/** Converts what is inside of a schema with `convert`. Every union in the schemas of the routes is one with null. */
function convertSchema (
  { anyOf, const: constant, items, properties, ...rest }: JsonSchema, dialect: Dialect, convert: Convert
): JsonSchema {
  const schema = {
    ...rest,
    ...isSchema(items) && { items: convert(items) },
    ...isSchema(properties) && { properties: mapSchemas(properties, convert) },
    ...constant !== undefined && dialect.constant(constant)
  }
  const [value] = Array.isArray(anyOf) ? anyOf : []
  return isSchema(value) ? { ...dialect.nullable(convert(value)), ...schema } : schema
}

/**
 * Returns the name. The app may have another schema of that name, such as Error. Several instances of the plugin share
 * their schemas.
 */
function addNamed (named: Record<string, unknown>, name: string, schema: JsonSchema): string {
  const isFree = !Object.hasOwn(named, name) || JSON.stringify(named[name]) === JSON.stringify(schema)
  const own = isFree ? name : `FastifyBackup${name}`
  named[own] = schema
  return own
}
