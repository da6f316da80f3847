import { Type, type TSchema } from 'typebox'
import { DriftSchema } from '../../types/index.ts'

/**
 * The body of every error response: the properties of Fastify's own error body, and the lists that some errors have.
 */
export const ErrorBodySchema = Type.Object({
  statusCode: Type.Integer(),
  code: Type.Optional(Type.String({ description: 'FST_BACKUP_* for the errors of this plugin' })),
  error: Type.String({ description: 'The name of the status' }),
  message: Type.String(),
  problems: Type.Optional(Type.Array(Type.String())),
  drift: Type.Optional(Type.Array(DriftSchema))
}, { additionalProperties: false, title: 'Error' })

/** Adds the description that an OpenAPI document requires for each response. */
export function response<Schema extends TSchema> (
  description: string, schema: Schema
): Schema & { description: string } {
  return { ...schema, description }
}

/** A response without a body. */
export const empty = (description: string) => Type.Unsafe<void>({ type: 'null', description })

const errorResponse = (description: string) => response(description, ErrorBodySchema)

/** The errors of every route. */
const always = {
  400: errorResponse('The request is invalid: an unknown key, a value of the wrong type, or a malformed id'),
  401: errorResponse('The caller is not authenticated'),
  403: errorResponse('The caller is not allowed to do this, or the request comes from another site'),
  500: errorResponse('An unexpected error occurred; the log of the service contains its code'),
  503: errorResponse('The database is not available, the storage of this backup log is missing, or the service is ' +
    'shutting down'),
  // With its option responseStatusCodeValidation, @fastify/response-validation makes a 500 of a status without a schema
  default: errorResponse('Any other error, such as one of another plugin of the service')
}

/** The further errors of routes that accept a body. */
const body = {
  413: errorResponse('The body, or a part of the file, is too large'),
  415: errorResponse('The content type or the content-encoding of the body is not accepted')
}

const tooLarge = { 413: errorResponse('The manifest is larger than the option `limits` allows') }

const missing = { 404: errorResponse('The backup does not exist') }

const missingSchema = { 404: errorResponse('The schema does not exist in the database') }

const busy = {
  409: errorResponse('Another run uses the schema, or the backup is in use or not completed; try again later')
}

const gone = { 410: errorResponse('The snapshot file is no longer in the storage') }

const unusable = {
  422: errorResponse('Not possible with this snapshot and schema; `problems` and `drift` list the reasons')
}

const full = { 507: errorResponse('The storage is full') }

export const errorResponses = { always, body, tooLarge, missing, missingSchema, busy, gone, unusable, full }
