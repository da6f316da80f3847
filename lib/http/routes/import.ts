import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { BackupSchema } from '../../../types/index.ts'
import { Aborted, ImportContentType, ImportEncoded } from '../../errors.ts'
import { sendError } from '../error-response.ts'
import { response, errorResponses } from '../response-schemas.ts'
import { EmptyQuery } from '../../arguments/call-schemas.ts'
import { callerOf, locationOf, longRoute, type RouteContext, type Scope } from '../route-context.ts'
import { compileValidator } from '../validation.ts'

/** None that an HTML form can send. */
const contentTypes =
  ['application/json', 'application/octet-stream', 'application/gzip', 'application/x-gzip', 'application/zstd']

const schema = {
  operationId: 'importBackup',
  tags: ['backup'],
  summary: 'Import a snapshot file',
  description: 'The body is the file as it was downloaded, compressed or not, of any size. It is checked while it ' +
    'arrives, and kept only if it is complete and valid. A body with a Content-Encoding is a compressed file like ' +
    'any other: it is kept as it arrived.',
  querystring: EmptyQuery,
  body: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, description: 'A snapshot file' }),
  response: {
    201: response('The backup, with a new id; Location contains its address', BackupSchema),
    ...errorResponses.always,
    ...errorResponses.body,
    ...errorResponses.unusable,
    ...errorResponses.full
  }
}

/**
 * Refuses other encodings before the first byte is read. Otherwise the error would be that the file is not a snapshot,
 * which does not show the cause. A body that is encoded with gzip or zstd is a compressed file like any other: its
 * first bytes show the format, and not the headers, and the file is kept as it arrived.
 */
const refuseEncoded = async ({ headers }: FastifyRequest): Promise<void> => {
  if (!/^(?:identity|gzip|x-gzip|zstd)?$/i.test(headers['content-encoding'] ?? '')) throw new ImportEncoded()
}

/** The message of Fastify for a form, which curl -F and -d send, is only `Unsupported Media Type`. */
function sendImportError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendError(error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' ? new ImportContentType() : error, request, reply)
}

/** Adds the route in a child scope whose bodies are streams. */
export function importRoute (scope: Scope, context: RouteContext): void {
  scope.register(async (child: Scope) => {
    child.removeAllContentTypeParsers()
    child.addContentTypeParser(contentTypes, passBody)
    addRoute(child, context)
  })
}

type BodyParsed = (error: null, body: IncomingMessage) => void

const passBody = (request: unknown, payload: IncomingMessage, done: BodyParsed): void => done(null, payload)

function addRoute (
  scope: Scope, { engineFor, options, extend, stallTimeoutMs, requireRestoreAuth }: RouteContext
): void {
  scope.post('/import', extend({
    ...longRoute,
    // @fastify/compress would decode the body, and refuses encodings that it does not know
    decompress: false,
    schema,
    errorHandler: sendImportError,
    // A stream cannot be validated
    validatorCompiler: (route) => route.httpPart === 'body' ? () => true : compileValidator(route),
    onRequest: [requireRestoreAuth, refuseEncoded]
  }), async (request, reply) => {
    const body = request.body instanceof Readable ? request.body : Readable.from([])
    reply.raw.setTimeout(stallTimeoutMs, () => {
      // The client causes no delay if the import has not started to read, because it waits for other runs, or if the
      // body has arrived completely
      if (body.readableFlowing !== null && !request.raw.complete) body.destroy(new Aborted('the upload stalled'))
      else reply.raw.setTimeout(stallTimeoutMs)
    })
    try {
      const sizeBytes = Number(request.headers['content-length'])
      const call = { ...callerOf(request, options), ...Number.isSafeInteger(sizeBytes) && { sizeBytes } }
      const backup = await engineFor(request).import(body, call)
      return await reply.code(201).headers({ location: locationOf(scope, backup.id) }).send(backup)
    } catch (error) {
      // Node.js does not discard the unread rest of a body that has been read in part (`resOnFinish` in node:http),
      // and the rest would block the connection
      body.removeAllListeners('readable')
      body.resume()
      throw error
    }
  })
}
