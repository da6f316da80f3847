import { promisify } from 'node:util'
import { crc32, createGunzip, gzip } from 'node:zlib'
import { SnapshotInvalid } from '../errors.ts'
import type { Codec, ReadBytes } from './codec.ts'
import { chunkSize, decode } from './decode.ts'
import { decodeEntries, encodeEntries, type Frame, storedSizeOf } from './frame.ts'

const deflate = promisify(gzip)

/** Identification, method deflate, no flags, no time, unknown system (RFC 1952, 2.3.1). */
const plainHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** The same with an extra field. */
const extraHeader = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255])
/** An empty block of deflate, and a checksum and a size of 0. */
const nothing = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
/** Checksum and size. */
const trailerSize = 8

/** Bytes in a block of deflate that is not compressed, at most (RFC 1951, 3.2.4). */
const largestBlock = 65535
const blockHeaderSize = 5

/** Identifies the extra field: the index of a snapshot of fastify-backup. */
const fieldId = Buffer.from('FB')
/** Bytes of entries in one extra field, which may have 65535 with its header of 4: a multiple of the entry's size. */
const largestField = 65528
/** Of a member with an extra field: header, the length of all fields, the header of the field, and `nothing`. */
const memberOverhead = extraHeader.length + 2 + 4 + nothing.length
/** The content of the last member: the number of frames, and the size of the members of the index before it. */
const footerContent = 8
const footerSize = memberOverhead + footerContent

/**
 * Gzip in several members. The index is in the extra fields of empty members behind the last one: the entries, and then
 * a member of fixed size that says how many there are.
 */
export const createGzipCodec = (): Codec => ({
  compress: async (bytes, level) => await deflate(bytes, { chunkSize, ...level !== undefined && { level } }),
  storedSize: (bytes) =>
    plainHeader.length + bytes + Math.max(1, Math.ceil(bytes / largestBlock)) * blockHeaderSize + trailerSize,
  store,
  encodeIndex (frames) {
    const entries = encodeEntries(frames)
    const members = []
    for (let start = 0; start < entries.length; start += largestField) {
      members.push(emptyMember(entries.subarray(start, start + largestField)))
    }
    const index = Buffer.concat(members)
    const footer = Buffer.alloc(footerContent)
    footer.writeUInt32LE(frames.length, 0)
    footer.writeUInt32LE(index.length, 4)
    return Buffer.concat([index, emptyMember(footer)])
  },
  readIndex,
  decompress
})

function store (bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [plainHeader]
  for (let start = 0; start === 0 || start < bytes.length; start += largestBlock) {
    const block = bytes.subarray(start, start + largestBlock)
    const header = Buffer.alloc(blockHeaderSize)
    header[0] = start + largestBlock >= bytes.length ? 1 : 0
    header.writeUInt16LE(block.length, 1)
    header.writeUInt16LE(block.length ^ 0xffff, 3)
    parts.push(header, block)
  }
  const trailer = Buffer.alloc(trailerSize)
  trailer.writeUInt32LE(crc32(bytes), 0)
  trailer.writeUInt32LE(bytes.length % 2 ** 32, 4)
  return Buffer.concat([...parts, trailer])
}

/** A member without data, whose extra field has this content. */
function emptyMember (content: Uint8Array): Buffer {
  const lengths = Buffer.alloc(6)
  lengths.writeUInt16LE(content.length + 4, 0)
  fieldId.copy(lengths, 2)
  lengths.writeUInt16LE(content.length, 4)
  return Buffer.concat([extraHeader, lengths, content, nothing])
}

async function readIndex (read: ReadBytes, storedBytes: number): Promise<Frame[] | undefined> {
  if (storedBytes < footerSize) return undefined
  const footer = contentOf(await read(storedBytes - footerSize, storedBytes))
  if (footer?.length !== footerContent) return undefined
  const [count, size] = [footer.readUInt32LE(0), footer.readUInt32LE(4)]
  if (size > storedBytes - footerSize) return undefined
  const members = await read(storedBytes - footerSize - size, storedBytes - footerSize)
  const frames: Frame[] = []
  for (let start = 0; start < members.length;) {
    const content = contentOf(members.subarray(start))
    if (content === undefined) return undefined
    frames.push(...decodeEntries(content))
    start += memberOverhead + content.length
  }
  const isComplete = frames.length === count && storedSizeOf(frames) === storedBytes - footerSize - size
  return isComplete ? frames : undefined
}

/** The content of the extra field of the empty member at the beginning of `bytes`; undefined for anything else. */
function contentOf (bytes: Buffer): Buffer | undefined {
  if (bytes.length < memberOverhead || !bytes.subarray(0, extraHeader.length).equals(extraHeader)) return undefined
  const fieldStart = extraHeader.length + 2
  const isOurs = bytes.subarray(fieldStart, fieldStart + fieldId.length).equals(fieldId)
  const size = bytes.readUInt16LE(fieldStart + fieldId.length)
  const content = bytes.subarray(fieldStart + 4, fieldStart + 4 + size)
  const end = fieldStart + 4 + size
  return isOurs && bytes.subarray(end, end + nothing.length).equals(nothing) ? content : undefined
}

async function * decompress (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let arrived = 0
  async function * counted (): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      arrived += chunk.length
      yield chunk
    }
  }
  // Decompresses all members. Ends before a byte of 0 that follows a member, and drops everything after it
  const gunzip = createGunzip({ chunkSize })
  yield * decode(counted(), gunzip)
  if (gunzip.bytesWritten < arrived) throw new SnapshotInvalid('something follows its end')
}
