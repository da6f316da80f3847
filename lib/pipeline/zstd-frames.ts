import { SnapshotInvalid } from '../errors.ts'

/** Magic number of a frame (RFC 8878, 3.1.1). */
export const frameMagic = 0xfd2fb528
/** The last four bits of the magic number of a skippable frame are free (RFC 8878, 3.1.2). */
export const skippableMagic = 0x184d2a50
export const isSkippable = (magic: number): boolean => (magic & 0xfffffff0) >>> 0 === skippableMagic

export const magicSize = 4
export const skippableHeaderSize = 8
const blockHeaderSize = 3
const checksumSize = 4
/** A block of this type has one byte, which is repeated. */
const repeatedByte = 1

/** The next bytes of a frame. */
export interface FramePart {
  /** Position in the chunk of the first byte behind the part. */
  end: number
  /** The frame ends with this part. */
  isLast: boolean
}

/**
 * Finds where the frames of a file end, from the headers of their blocks, and decompresses nothing. A decoder of
 * node:zlib ends with the first frame and drops what follows in the same write, and it returns nothing for a skippable
 * frame (nodejs/node#64741).
 */
export class ZstdFrames {
  /** Bytes of the current frame that are known to belong together: they are passed without a look at them. */
  #missing = 0
  /** The frame ends behind the missing bytes. */
  #endsThere = false
  /** What of a header has arrived. */
  readonly #header = Buffer.alloc(16)
  #filled = 0
  /** The header that is next. */
  #expected: 'frame' | 'block' = 'frame'
  #hasChecksum = false

  /**
   * Returns how much of `chunk` belongs to the frame that began there, or in an earlier chunk.
   * @throws FST_BACKUP_SNAPSHOT_INVALID for what is no frame
   */
  next (chunk: Uint8Array): FramePart {
    let position = 0
    while (position < chunk.length) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, chunk.length - position)
        position += taken
        this.#missing -= taken
        if (this.#missing === 0 && this.#endsThere) return this.#end(position)
      } else {
        this.#header[this.#filled++] = chunk[position++] as number
        if (this.#readHeader()) {
          this.#filled = 0
          if (this.#missing === 0 && this.#endsThere) return this.#end(position)
        }
      }
    }
    return { end: position, isLast: false }
  }

  #end (position: number): FramePart {
    this.#expected = 'frame'
    this.#endsThere = false
    return { end: position, isLast: true }
  }

  /** Returns whether the header is complete. */
  #readHeader (): boolean {
    return this.#expected === 'block' ? this.#readBlockHeader() : this.#readFrameHeader()
  }

  #readFrameHeader (): boolean {
    if (this.#filled < magicSize) return false
    const magic = this.#header.readUInt32LE(0)
    if (isSkippable(magic)) {
      if (this.#filled < skippableHeaderSize) return false
      this.#missing = this.#header.readUInt32LE(magicSize)
      this.#endsThere = true
      return true
    }
    if (magic !== frameMagic) throw new SnapshotInvalid('something follows its end')
    if (this.#filled === magicSize) return false
    const descriptor = this.#header[magicSize] as number
    this.#hasChecksum = (descriptor & 0b100) !== 0
    if (this.#filled < magicSize + 1 + fieldsSize(descriptor)) return false
    this.#expected = 'block'
    return true
  }

  /** RFC 8878, 3.1.1.2. */
  #readBlockHeader (): boolean {
    if (this.#filled < blockHeaderSize) return false
    const header = this.#header.readUIntLE(0, blockHeaderSize)
    const isLast = (header & 1) === 1
    const size = (header >>> 1 & 0b11) === repeatedByte ? 1 : header >>> 3
    this.#endsThere = isLast
    this.#missing = size + (isLast && this.#hasChecksum ? checksumSize : 0)
    return true
  }
}

/** Bytes of the fields of a frame's header that follow its descriptor (RFC 8878, 3.1.1.1). */
function fieldsSize (descriptor: number): number {
  const isSingleSegment = (descriptor & 0b100000) !== 0
  const windowSize = isSingleSegment ? 0 : 1
  const dictionarySize = [0, 1, 2, 4][descriptor & 0b11] as number
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number
  return windowSize + dictionarySize + contentSize
}
