import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import { SnapshotInvalid } from '../errors.ts'
import type { Codec, ReadBytes } from './codec.ts'
import { chunkSize, decode } from './decode.ts'
import { decodeEntries, encodeEntries, type Frame, storedSizeOf } from './frame.ts'
import { frameMagic, isSkippable, magicSize, skippableHeaderSize, skippableMagic, ZstdFrames } from './zstd-frames.ts'

/** Options of node:zlib, whose types for Node.js 20 do not have them. */
interface ZstdOptions { chunkSize: number, params?: Record<number, number> }

/** What of node:zlib a codec uses. Missing before Node.js 22.15. */
export interface ZstdLibrary {
  zstdCompress?: (bytes: Uint8Array, options: ZstdOptions, done: (error: Error | null, result: Buffer) => void) => void
  createZstdDecompress?: (options: ZstdOptions) => Transform
  constants: { ZSTD_c_compressionLevel?: number }
}

/** Magic number; a descriptor: the size of the content has four bytes, and there is one segment (RFC 8878, 3.1.1.1). */
const storedHeaderSize = 9
const storedDescriptor = 0b10100000
/** Bytes in a block, at most (RFC 8878, 3.1.1.2.3). */
const largestBlock = 128 * 1024
const blockHeaderSize = 3

/**
 * The seek table of the Zstandard seekable format (facebook/zstd, contrib/seekable_format): a skippable frame with an
 * entry for each frame, and behind them their number, a descriptor, and a magic number.
 */
const seekTableMagic = skippableMagic + 0xe
const seekableMagic = 0x8f92eab1
const footerSize = 9
const entrySize = 8

/** Zstandard in several frames, with a seek table behind them. Undefined without Zstandard in the library. */
export function createZstdCodec ({ zstdCompress, createZstdDecompress, constants }: ZstdLibrary): Codec | undefined {
  const { ZSTD_c_compressionLevel: levelParameter } = constants
  if (zstdCompress === undefined || createZstdDecompress === undefined || levelParameter === undefined) return undefined
  const compress = promisify(zstdCompress)
  return {
    compress: async (bytes, level) =>
      await compress(bytes, { chunkSize, ...level !== undefined && { params: { [levelParameter]: level } } }),
    storedSize: (bytes) => storedHeaderSize + bytes + Math.max(1, Math.ceil(bytes / largestBlock)) * blockHeaderSize,
    store,
    encodeIndex,
    readIndex,
    decompress: (chunks) => decompress(chunks, () => createZstdDecompress({ chunkSize }))
  }
}

function store (bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(storedHeaderSize)
  header.writeUInt32LE(frameMagic, 0)
  header[4] = storedDescriptor
  header.writeUInt32LE(bytes.length, 5)
  const parts: Uint8Array[] = [header]
  for (let start = 0; start === 0 || start < bytes.length; start += largestBlock) {
    const block = bytes.subarray(start, start + largestBlock)
    const isLast = start + largestBlock >= bytes.length
    const blockHeader = Buffer.alloc(blockHeaderSize)
    blockHeader.writeUIntLE(block.length << 3 | (isLast ? 1 : 0), 0, blockHeaderSize)
    parts.push(blockHeader, block)
  }
  return Buffer.concat(parts)
}

function encodeIndex (frames: Frame[]): Buffer {
  const entries = encodeEntries(frames)
  const header = Buffer.alloc(skippableHeaderSize)
  header.writeUInt32LE(seekTableMagic, 0)
  header.writeUInt32LE(entries.length + footerSize, 4)
  const footer = Buffer.alloc(footerSize)
  footer.writeUInt32LE(frames.length, 0)
  footer.writeUInt32LE(seekableMagic, 5)
  return Buffer.concat([header, entries, footer])
}

async function readIndex (read: ReadBytes, storedBytes: number): Promise<Frame[] | undefined> {
  if (storedBytes < skippableHeaderSize + footerSize) return undefined
  const footer = await read(storedBytes - footerSize, storedBytes)
  // A descriptor other than 0 means entries with checksums, as other programs write them
  if (footer.readUInt32LE(5) !== seekableMagic || footer[4] !== 0) return undefined
  const size = footer.readUInt32LE(0) * entrySize
  const start = storedBytes - footerSize - size
  if (start < skippableHeaderSize) return undefined
  const frames = decodeEntries(await read(start, start + size))
  return storedSizeOf(frames) === start - skippableHeaderSize ? frames : undefined
}

async function * decompress (chunks: AsyncIterable<Buffer>, createDecoder: () => Transform): AsyncGenerator<Buffer> {
  const reader = new FrameReader(chunks)
  while (await reader.hasMore()) {
    if (reader.isSkippable) await reader.skip()
    else yield * decode(reader.frame(), createDecoder())
  }
}

/** Divides the bytes of a file into frames. */
class FrameReader {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #frames = new ZstdFrames()
  #rest: Buffer = Buffer.alloc(0)

  constructor (chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Whether a frame follows. Its magic number has arrived then. */
  async hasMore (): Promise<boolean> {
    while (this.#rest.length < magicSize && await this.#readMore()) continue
    if (this.#rest.length > 0 && this.#rest.length < magicSize) throw new SnapshotInvalid('something follows its end')
    return this.#rest.length > 0
  }

  /** Whether the next frame has no content. */
  get isSkippable (): boolean {
    return isSkippable(this.#rest.readUInt32LE(0))
  }

  /** The bytes of the next frame. */
  async * frame (): AsyncGenerator<Buffer> {
    for (;;) {
      const { end, isLast } = this.#frames.next(this.#rest)
      const part = this.#rest.subarray(0, end)
      this.#rest = this.#rest.subarray(end)
      yield part
      if (isLast) return
      if (!await this.#readMore()) throw new SnapshotInvalid('the file is truncated')
    }
  }

  async skip (): Promise<void> {
    const parts = this.frame()
    while ((await parts.next()).done !== true) continue
  }

  async #readMore (): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done === true) return false
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value])
    return true
  }
}
