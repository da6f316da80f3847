import { Type, type TSchema } from 'typebox'
import { DriftSchema } from '../../types/index.ts'

/** The body of every answer that is no success: Fastify's own, and the lists that some errors have. */
export const RefusalSchema = Type.Object({
  statusCode: Type.Integer(),
  code: Type.Optional(Type.String({ description: 'FST_BACKUP_* for the errors of this plugin' })),
  error: Type.String({ description: 'The name of the status' }),
  message: Type.String(),
  problems: Type.Optional(Type.Array(Type.String())),
  drift: Type.Optional(Type.Array(DriftSchema))
}, { additionalProperties: false, title: 'Refusal' })

/** A schema with the words that an OpenAPI document needs for each answer. */
export function answer<Schema extends TSchema> (description: string, schema: Schema): Schema & { description: string } {
  return { ...schema, description }
}

/** An answer without a body. */
export const empty = (description: string) => Type.Unsafe<void>({ type: 'null', description })

const refusal = (description: string) => answer(description, RefusalSchema)

/** What any route may answer. */
const always = {
  400: refusal('The request is not as described here: a misspelt key, a value of a wrong type, an id that is not one'),
  401: refusal('Nobody is signed in'),
  403: refusal('The caller may not do that, or the request comes from another site'),
  500: refusal('Something unexpected; the log of the service has its code'),
  503: refusal('The database is not available, the storage is not the one that the log knows, or the service is shutting down')
}

/** The answers of routes that take a body. */
const body = {
  413: refusal('The body is too large, or a part of the file is'),
  415: refusal('The body is no JSON, or it is encoded')
}

const missing = { 404: refusal('There is no such backup') }

const missingSchema = { 404: refusal('The database has no such schema') }

const busy = { 409: refusal('Another run holds the schema, or the backup is in use or not completed; try again later') }

const gone = { 410: refusal('The snapshot file is not in the storage any more') }

const unusable = { 422: refusal('Not possible with this snapshot and this schema; `problems` and `drift` list why') }

const full = { 507: refusal('The storage is full') }

export const refusals = { always, body, missing, missingSchema, busy, gone, unusable, full }
