import { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import type { ZstdLibrary } from '../../lib/pipeline/zstd-codec.ts'

/** What of a frame its header says, besides its blocks (RFC 8878, 3.1.1.1). */
interface FrameOptions { hasChecksum?: boolean, dictionaryBytes?: 0 | 1 | 2 | 4, contentSizeBytes?: 0 | 1 | 2 | 4 | 8 }

/** A block: bytes as they are, or one byte that is repeated. */
export type RawBlock = Uint8Array | { byte: number, count: number }

/** A frame of blocks that are not compressed, with fields of any size in its header. */
export function rawFrame (
  blocks: RawBlock[], { hasChecksum = false, dictionaryBytes = 0, contentSizeBytes = 0 }: FrameOptions = {}
): Buffer {
  const isSingleSegment = contentSizeBytes === 1
  const descriptor = [0, 1, 2, 4, 8].indexOf(contentSizeBytes) - 1
  const header = Buffer.from([
    0x28, 0xb5, 0x2f, 0xfd,
    (Math.max(0, descriptor) << 6) | (isSingleSegment ? 0b100000 : 0) | (hasChecksum ? 0b100 : 0) |
      [0, 1, 2, 4].indexOf(dictionaryBytes)
  ])
  const parts: Uint8Array[] = [header]
  if (!isSingleSegment) parts.push(Buffer.from([0x58]))
  parts.push(Buffer.alloc(dictionaryBytes), Buffer.alloc(contentSizeBytes))
  for (const [index, block] of blocks.entries()) {
    const isRaw = block instanceof Uint8Array
    const isLast = index === blocks.length - 1
    const size = isRaw ? block.length : block.count
    const blockHeader = Buffer.alloc(3)
    blockHeader.writeUIntLE((size << 3) | (isRaw ? 0 : 0b010) | (isLast ? 1 : 0), 0, 3)
    parts.push(blockHeader, isRaw ? block : Buffer.from([block.byte]))
  }
  if (hasChecksum) parts.push(Buffer.alloc(4))
  return Buffer.concat(parts)
}

export function skippableFrame (content: Uint8Array, kind = 0): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(0x184d2a50 + kind, 0)
  header.writeUInt32LE(content.length, 4)
  return Buffer.concat([header, content])
}

const blockSize = 100_000

/** Divides bytes into blocks. */
export function rawBlocks (bytes: Uint8Array): Uint8Array[] {
  const blocks = [bytes.subarray(0, blockSize)]
  for (let start = blockSize; start < bytes.length; start += blockSize) {
    blocks.push(bytes.subarray(start, start + blockSize))
  }
  return blocks
}

/**
 * Zstandard for versions of Node.js that do not have it: it writes blocks that are not compressed, and reads only
 * those. As the decoder of node:zlib, it ends with the first frame.
 */
const rawZstd: ZstdLibrary = {
  constants: { ZSTD_c_compressionLevel: 100 },
  zstdCompress: (bytes, _options, done) => { setImmediate(() => { done(null, rawFrame(rawBlocks(bytes))) }) },
  createZstdDecompress () {
    const arrived: Buffer[] = []
    return new Transform({
      transform (chunk, _encoding, done) {
        arrived.push(chunk)
        done()
      },
      flush (done) {
        try {
          for (const block of decodeFrame(Buffer.concat(arrived))) this.push(block)
          done()
        } catch {
          done(Object.assign(new Error('the frame is damaged'), { code: 'ZSTD_error_corruption_detected' }))
        }
      }
    })
  }
}

function decodeFrame (frame: Buffer): Buffer[] {
  const descriptor = frame.readUInt8(4)
  const isSingleSegment = (descriptor & 0b100000) !== 0
  let position = 5 + (isSingleSegment ? 0 : 1) + Number([0, 1, 2, 4][descriptor & 3]) +
    Number([isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6])
  const blocks: Buffer[] = []
  for (;;) {
    const header = frame.readUIntLE(position, 3)
    position += 3
    const [isLast, type, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3]
    if (type > 1) throw new RangeError('a compressed block')
    blocks.push(type === 1 ? Buffer.alloc(size, frame.readUInt8(position)) : frame.subarray(position, position + size))
    position += type === 1 ? 1 : size
    if (position > frame.length) throw new RangeError('a block is truncated')
    if (isLast) return blocks
  }
}

const native = zlib as unknown as ZstdLibrary
/** Zstandard of Node.js, or else rawZstd. */
export const zstdLibrary: ZstdLibrary = native.zstdCompress === undefined ? rawZstd : native
/** Both, where Node.js has Zstandard. */
export const zstdLibraries: ZstdLibrary[] = native.zstdCompress === undefined ? [rawZstd] : [rawZstd, native]
