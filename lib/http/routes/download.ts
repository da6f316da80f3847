import type { Readable } from 'node:stream'
import contentDisposition from 'content-disposition'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fresh from 'fresh'
import { Type } from 'typebox'
import { Aborted, FileGone, NotCompleted, RangeInvalid } from '../../errors.ts'
import type { BackupCalls } from '../../service/backup-engine.ts'
import { response, empty, errorResponses, ErrorBodySchema } from '../response-schemas.ts'
import { parseRange } from '../byte-range.ts'
import { sendError } from '../error-response.ts'
import { IdParams, EmptyQuery } from '../../arguments/call-schemas.ts'
import { requireLength } from '../require-length.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const FileBytes = Type.Unsafe<Readable>({ type: 'string', format: 'binary' })

const schema = {
  operationId: 'downloadSnapshot',
  tags: ['backup'],
  summary: 'Download a snapshot file',
  description: 'Supports a single Range, If-Range and If-None-Match.',
  params: IdParams,
  querystring: EmptyQuery,
  response: {
    200: response('The file', FileBytes),
    206: response('The part that Range requests', FileBytes),
    304: empty('The file matches If-None-Match'),
    ...errorResponses.always,
    ...errorResponses.missing,
    ...errorResponses.busy,
    ...errorResponses.gone,
    416: response('The range is outside the file', ErrorBodySchema)
  }
}

interface Snapshot { filename: string, sizeBytes: number, etag: string }

export async function findSnapshot (engine: BackupCalls, id: string): Promise<Snapshot> {
  const { status, available, filename, sizeBytes, checksum } = await engine.get(id)
  if (status !== 'completed' && status !== 'restored') throw new NotCompleted(id, status)
  if (!available || sizeBytes === null || checksum === null) throw new FileGone(filename)
  return { filename, sizeBytes, etag: `"${checksum}"` }
}

/** Sets the headers of the file, for both GET and HEAD. Returns whether the client already has the file. */
function setFileHeaders (request: FastifyRequest, reply: FastifyReply, { filename, etag }: Snapshot): boolean {
  reply.header('etag', etag)
  if (fresh(request.headers, { etag })) return true
  reply.headers({
    'accept-ranges': 'bytes',
    'content-type': 'application/json',
    'content-disposition': contentDisposition(filename)
  })
  return false
}

function rangeOf ({ headers }: FastifyRequest, { sizeBytes, etag }: Snapshot): ReturnType<typeof parseRange> {
  const isOfThisFile = headers['if-range'] === undefined || headers['if-range'] === etag
  return headers.range !== undefined && isOfThisFile ? parseRange(headers.range, sizeBytes) : undefined
}

/** Removes the headers of the file, which do not apply to an error response. Of a 416, Content-Range has the size. */
function sendErrorWithoutFileHeaders (error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  for (const name of ['accept-ranges', 'etag', 'content-disposition']) reply.removeHeader(name)
  if (!(error instanceof RangeInvalid)) reply.removeHeader('content-range')
  sendError(error, request, reply)
}

export function downloadRoute (scope: Scope, { engineFor, extend, stallTimeoutMs }: RouteContext): void {
  // @fastify/response-validation cannot compile the format binary. It validates no streams anyway
  const route = { ...longRoute, errorHandler: sendErrorWithoutFileHeaders, responseValidation: false as const }

  // Before the GET: otherwise Fastify derives a HEAD route from it, which reads the complete file and discards it
  scope.head('/:id/download', extend({ ...route, schema: { ...schema, hide: true } }), async (request, reply) => {
    const snapshot = await findSnapshot(engineFor(request), request.params.id)
    if (setFileHeaders(request, reply, snapshot)) return reply.code(304).send()
    return reply.header('content-length', snapshot.sizeBytes).send()
  })

  scope.get('/:id/download', extend({ ...route, schema }), async (request, reply) => {
    const { id } = request.params
    const snapshot = await findSnapshot(engineFor(request), id)
    if (setFileHeaders(request, reply, snapshot)) return reply.code(304).send()

    const range = rangeOf(request, snapshot)
    if (range === null) {
      reply.header('content-range', `bytes */${snapshot.sizeBytes}`)
      throw new RangeInvalid(snapshot.sizeBytes)
    }
    const { stream } = await engineFor(request).download(id, range)
    const { start, end } = range ?? { start: 0, end: snapshot.sizeBytes - 1 }
    if (range !== undefined) reply.code(206).header('content-range', `bytes ${start}-${end}/${snapshot.sizeBytes}`)

    // Fastify destroys the stream when the client disconnects, but not when an onSend hook of the app throws, or when a
    // connected client reads nothing
    reply.raw.once('close', () => stream.destroy())
    reply.raw.setTimeout(stallTimeoutMs, () => stream.destroy(new Aborted('the download stalled')))
    const length = end - start + 1
    return reply.header('content-length', length).send(requireLength(stream, length))
  })
}
