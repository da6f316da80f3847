import { Readable } from 'node:stream'
import { RangeInvalid, SnapshotInvalid } from '../errors.ts'
import type { ByteRange } from '../../types/index.ts'
import type { Codec, CompressionType } from './codec.ts'
import { compressionOf, requireCodec, startSize } from './codecs.ts'
import type { Frame } from './frame.ts'

/** Opens the bytes of a file, all of them or those of a range. Destroying the stream releases everything. */
export type OpenBytes = (range?: ByteRange) => Promise<Readable>

/**
 * Opens the bytes of a snapshot, decompressed, whatever they are compressed with: the first bytes of the file show
 * that. A range must end in the file. That of a compressed file is read from the frame that contains its first byte;
 * without an index, from the beginning of the file.
 *
 * Rejects with FST_BACKUP_RANGE_INVALID for a range that begins behind the end. The stream fails with
 * FST_BACKUP_SNAPSHOT_INVALID if the file is damaged.
 * @param open opens the file as it is stored
 * @param storedBytes the size of the file, which only ranges need
 */
export function openPlain (open: OpenBytes, storedBytes = 0): OpenBytes {
  /** Known when the file has been opened once. */
  let type: CompressionType | 'none' | undefined
  let frames: Frame[] | undefined

  return async (range) => {
    if (range === undefined) {
      const { stream, compression } = await decompressed(await open())
      type = compression
      return stream
    }
    type ??= compressionOf(await readBytes(open, 0, startSize))
    if (type === 'none') return await open(range)
    const codec = requireCodec(type)
    frames ??= await readFrames(codec, open, storedBytes)
    return await openRange(codec, open, frames, range)
  }
}

/** A stream from the beginning of a file, decompressed. `stored` is destroyed with it. */
export async function decompressed (
  stored: Readable
): Promise<{ stream: Readable, compression: CompressionType | 'none' }> {
  const chunks = chunksOf(stored)
  const first: Buffer[] = []
  let size = 0
  try {
    while (size < startSize) {
      const { done, value } = await chunks.next()
      if (done === true) break
      first.push(value)
      size += value.length
    }
    const start = Buffer.concat(first)
    const compression = compressionOf(start)
    const all = continued(start, chunks)
    const bytes = compression === 'none' ? all : requireCodec(compression).decompress(all)
    return { stream: toStream(bytes, stored), compression }
  } catch (error) {
    stored.destroy()
    throw error
  }
}

/**
 * Ends without an error of the stream when a reader stops early. By default, Node.js then destroys the stream with an
 * AbortError, and a damaged file would look like a failure of the storage.
 */
const chunksOf = (stored: Readable): AsyncIterableIterator<Buffer> => stored.iterator({ destroyOnReturn: false })

async function * continued (start: Buffer, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield start
  yield * chunks
}

/** @param stored is destroyed with the stream, also before its first read, when no generator runs */
function toStream (bytes: AsyncIterable<Buffer>, stored: Readable): Readable {
  const stream = Readable.from(bytes, { objectMode: true, highWaterMark: 1 })
  stream.once('close', () => { stored.destroy() })
  return stream
}

async function readBytes (open: OpenBytes, start: number, end: number): Promise<Buffer> {
  if (start === end) return Buffer.alloc(0)
  const parts: Buffer[] = []
  for await (const part of await open({ start, end: end - 1 })) parts.push(part)
  return Buffer.concat(parts)
}

/** A single frame for a file without an index. */
async function readFrames (codec: Codec, open: OpenBytes, storedBytes: number): Promise<Frame[]> {
  const frames = await codec.readIndex(async (start, end) => await readBytes(open, start, end), storedBytes)
  return frames ?? [{ storedBytes, plainBytes: Number.MAX_SAFE_INTEGER }]
}

async function openRange (
  codec: Codec, open: OpenBytes, frames: Frame[], { start, end }: ByteRange
): Promise<Readable> {
  let [storedStart, plainStart, index] = [0, 0, 0]
  for (; index < frames.length - 1; index++) {
    const { storedBytes, plainBytes } = frames[index] as Frame
    if (plainStart + plainBytes > start) break
    storedStart += storedBytes
    plainStart += plainBytes
  }
  let [storedEnd, plainEnd] = [storedStart, plainStart]
  for (; index < frames.length && plainEnd <= end; index++) {
    const { storedBytes, plainBytes } = frames[index] as Frame
    storedEnd += storedBytes
    plainEnd += plainBytes
  }
  if (start >= plainEnd) throw new RangeInvalid(plainEnd)
  const stored = await open({ start: storedStart, end: storedEnd - 1 })
  const bytes = cut(codec.decompress(chunksOf(stored)), start - plainStart, end - plainStart + 1)
  return toStream(bytes, stored)
}

/** The bytes from `start` up to `end`, and without it. */
async function * cut (chunks: AsyncIterable<Buffer>, start: number, end: number): AsyncGenerator<Buffer> {
  let position = 0
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.max(0, start - position), Math.max(0, end - position))
    position += chunk.length
    if (part.length > 0) yield part
    if (position >= end) return
  }
  throw new SnapshotInvalid('the file is truncated')
}
