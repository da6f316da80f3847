import type { Readable } from 'node:stream'
import contentDisposition from 'content-disposition'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fresh from 'fresh'
import { Type } from 'typebox'
import type { Backup, DownloadOptions } from '../../../types/index.ts'
import { Aborted, FileGone, NotCompleted, RangeInvalid } from '../../errors.ts'
import { representationOf, type Representation } from '../../service/download-backup.ts'
import type { BackupCalls } from '../../service/backup-engine.ts'
import { response, empty, errorResponses, ErrorBodySchema } from '../response-schemas.ts'
import { parseRange } from '../byte-range.ts'
import { sendError } from '../error-response.ts'
import { DownloadQuery, IdParams } from '../../arguments/call-schemas.ts'
import { requireLength } from '../require-length.ts'
import { longRoute, type RouteContext, type Scope } from '../route-context.ts'

const FileBytes = Type.Unsafe<Readable>({ type: 'string', format: 'binary' })

const schema = {
  operationId: 'downloadSnapshot',
  tags: ['backup'],
  summary: 'Download a snapshot file',
  description: 'Supports a single Range, If-Range and If-None-Match. A compressed file is sent as it is stored.',
  params: IdParams,
  querystring: DownloadQuery,
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

const contentTypes: Record<Backup['compression'], string> =
  { none: 'application/json', gzip: 'application/gzip', zstd: 'application/zstd' }

type Snapshot = Parameters<typeof representationOf>[0]

export async function findSnapshot (engine: BackupCalls, id: string): Promise<Snapshot> {
  const backup = await engine.get(id)
  const { status, available, filename, sizeBytes, storedBytes, checksum } = backup
  if (status !== 'completed' && status !== 'restored') throw new NotCompleted(id, status)
  if (!available || sizeBytes === null || storedBytes === null || checksum === null) throw new FileGone(filename)
  return { ...backup, sizeBytes, storedBytes, checksum }
}

/** What is sent, without its bytes. Each representation of a snapshot has an ETag of its own. */
interface Sent extends Representation { etag: string }

async function findSent (
  engine: BackupCalls, { params: { id }, query }: { params: { id: string }, query: DownloadOptions }
): Promise<Sent> {
  const snapshot = await findSnapshot(engine, id)
  const sent = representationOf(snapshot, query)
  const { checksum } = snapshot
  return { ...sent, etag: sent.compression === 'none' ? `"${checksum}"` : `"${checksum};${sent.compression}"` }
}

/** Sets the headers of the file, for both GET and HEAD. Returns whether the client already has the file. */
function setFileHeaders (
  request: FastifyRequest, reply: FastifyReply, { filename, etag, compression }: Sent
): boolean {
  reply.header('etag', etag)
  if (fresh(request.headers, { etag })) return true
  reply.headers({
    'accept-ranges': 'bytes',
    'content-type': contentTypes[compression],
    'content-disposition': contentDisposition(filename)
  })
  return false
}

function rangeOf ({ headers }: FastifyRequest, { sizeBytes, etag }: Sent): ReturnType<typeof parseRange> {
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
    const snapshot = await findSent(engineFor(request), request)
    if (setFileHeaders(request, reply, snapshot)) return reply.code(304).send()
    return reply.header('content-length', snapshot.sizeBytes).send()
  })

  scope.get('/:id/download', extend({ ...route, schema }), async (request, reply) => {
    const snapshot = await findSent(engineFor(request), request)
    if (setFileHeaders(request, reply, snapshot)) return reply.code(304).send()

    const range = rangeOf(request, snapshot)
    if (range === null) {
      reply.header('content-range', `bytes */${snapshot.sizeBytes}`)
      throw new RangeInvalid(snapshot.sizeBytes)
    }
    const { stream } = await engineFor(request).download(request.params.id, range, request.query)
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
