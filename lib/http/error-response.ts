import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { isLogged } from '../own-error.ts'
import type { ErrorBodySchema } from './response-schemas.ts'

type ErrorBody = Static<typeof ErrorBodySchema>

const property = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

function statusOf (error: unknown): number {
  const status = property(error, 'statusCode')
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}

/**
 * The body for an error: the properties of Fastify's own error body, and the lists that the caller needs. Returns
 * `null` when the error must not be shown. Other plugins also throw objects that are no Error, such as those of the
 * option `errorResponseBuilder` of @fastify/rate-limit.
 */
function errorBody (error: unknown): ErrorBody | null {
  const code = property(error, 'code')
  const message = property(error, 'message')
  const statusCode = statusOf(error)
  const isOwn = typeof code === 'string' && code.startsWith('FST_')
  if (typeof message !== 'string' || !(isOwn || statusCode < 500)) return null

  const isMediaType = code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
  const problems = property(error, 'problems')
  const drift = property(error, 'drift')
  return {
    statusCode,
    ...(typeof code === 'string' && { code }),
    error: STATUS_CODES[statusCode] ?? 'Error',
    message: isMediaType ? `${message}; send JSON, with content-type: application/json` : message,
    ...(Array.isArray(problems) && { problems }),
    ...(Array.isArray(drift) && { drift })
  }
}

/** Of an error that must not be shown. Hooks of the app may have given it a status, such as 503. */
function hiddenBody (error: unknown): ErrorBody {
  const statusCode = statusOf(error)
  return {
    statusCode,
    error: STATUS_CODES[statusCode] ?? 'Error',
    message: 'An unexpected error occurred; the log of the service contains its code'
  }
}

/**
 * The serializer of error responses. Fastify passes an Error, with the status of the response, when a hook of the app
 * has failed in an error response. It has logged the error.
 */
export function serializeError (body: unknown): string {
  return JSON.stringify(body instanceof Error ? hiddenBody(body) : body)
}

/**
 * Reports an error to the log, and returns its body. Of an unexpected error, only its code and name are reported, and
 * only to the log: the message and the detail of a database error may quote rows.
 */
export function reportError (error: unknown, request: FastifyRequest): ErrorBody {
  const shown = errorBody(error)
  if (shown === null) {
    const details = { code: property(error, 'code'), name: property(error, 'name') }
    request.log.error(details, 'unexpected error in a backup route')
  } else {
    const level = shown.statusCode < 500 ? 'info' : 'error'
    // The run has logged its failure, with its backup
    request.log[isLogged(error) ? 'debug' : level]({ code: shown.code }, shown.message)
  }
  return shown ?? hiddenBody(error)
}

/** The error handler of the scope. */
export function sendError (error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const body = reportError(error, request)
  reply.code(body.statusCode).send(body)
}
