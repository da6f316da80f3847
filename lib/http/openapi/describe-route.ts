import type { FastifyInstance } from 'fastify'
import type { SecurityRequirement } from '../../../types/index.ts'
import {
  createDocumentWriter, type DocumentSoFar, type DocumentWriter, isSchema, type JsonSchema, mapSchemas,
  type OpenapiObject
} from './api-document.ts'
import { type Headers, requestHeaders, responseHeaders } from './header-descriptions.ts'

type Described = DocumentSoFar & { schema: object, url: string }

/**
 * Describes the routes of the scope in the documents of @fastify/swagger: with named schemas, headers and examples.
 *
 * The schemas of the routes remain complete. With addSchema() and `$ref`, the names would be def-0, def-1 and so on,
 * unless the app sets `refResolver`; and an app with a schema of the same name could not register the plugin.
 */
export function describeRoutes (scope: FastifyInstance, security: SecurityRequirement[] | undefined): void {
  const swaggerTransform = ({ schema, url, ...document }: Described): { schema: object, url: string } => {
    if ('openapiObject' in document) allowEmptyBodies(document.openapiObject, scope.prefix)
    const described = describeRoute({ ...schema }, createDocumentWriter(document))
    return { schema: { ...described, ...security !== undefined && { security } }, url }
  }
  scope.addHook('onRoute', (route) => { route.config = Object.assign({ swaggerTransform }, route.config) })
}

/** Operations whose body has only options. */
const withOptionalBody = new Set(['createBackup', 'planRestore', 'restoreBackup'])

/**
 * @fastify/swagger declares each body as required, whatever its schema, after this function. So each route corrects
 * those before it; the last one has no such body.
 */
function allowEmptyBodies ({ paths }: OpenapiObject, prefix: string): void {
  for (const [path, operations] of Object.entries(paths)) {
    for (const { operationId = '', requestBody } of Object.values(operations)) {
      const isOptional = path.startsWith(prefix) && withOptionalBody.has(operationId)
      if (isOptional && requestBody !== undefined) requestBody.required = false
    }
  }
}

function describeRoute (schema: JsonSchema, writer: DocumentWriter): JsonSchema {
  const { querystring, body, response, ...route } = schema
  const operation = String(schema.operationId)
  const headers = requestHeaders[operation]
  const sent = responseHeaders[operation] ?? {}
  return {
    ...route,
    ...isSchema(querystring) && { querystring: writer.convertParameters(querystring) },
    ...isSchema(body) && describeBody(operation, body, writer),
    ...headers !== undefined && { headers: { type: 'object', properties: toStrings(headers) } },
    ...isSchema(response) && {
      response: mapSchemas(response, (answer, status) => describeResponse(answer, sent[status], writer))
    }
  }
}

const toStrings = (headers: Headers): JsonSchema =>
  Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { type: 'string', description }]))

function describeBody (operation: string, body: JsonSchema, { convert, file, isVersion2 }: DocumentWriter): JsonSchema {
  if (operation === 'importBackup') {
    const binary = ['application/octet-stream', 'application/gzip', 'application/zstd']
    if (isVersion2) return { body, consumes: ['application/json', ...binary] }
    // The first one is what swagger-ui offers: a file
    const files = Object.fromEntries(binary.map((type) => [type, { schema: file }]))
    return { body: { content: { ...files, 'application/json': { schema: body } } } }
  }
  // A route that has no options has no body in the document
  const hasOptions = isSchema(body.properties) && Object.keys(body.properties).length > 0
  return hasOptions ? { body: convert(body) } : {}
}

function describeResponse (
  { description, ...schema }: JsonSchema, headers: Headers | undefined, { convert, file }: DocumentWriter
): JsonSchema {
  const content = schema.type === 'string' ? file : convert(schema)
  return { ...content, description, ...headers !== undefined && { headers: toStrings(headers) } }
}
