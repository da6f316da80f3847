import {
  bytesBefore, byteOf, marksOf, marksOfControls, type Words, type WordView, wordSize
} from './four-byte-words.ts'

/**
 * Size of a piece, in bytes: large enough for the cost of a write() not to matter, small enough to keep memory
 * constant.
 */
export const pieceSize = 256 * 1024
/** Pieces that are kept for reuse: one is filled while others are written. */
const spares = 4

export interface Mark { pieces: number, bytes: Buffer, view: DataView, length: number }

/**
 * Bytes between a transcoder and a file or a socket. The fields are public, since a transcoder writes to `bytes` at
 * `length` itself: a call per byte would take longer than the work.
 */
export class ByteQueue {
  bytes: Buffer = Buffer.allocUnsafeSlow(pieceSize)
  /** The same bytes, to write them as words. */
  view: DataView = viewOf(this.bytes)
  length = 0
  #pieces: Buffer[] = []
  #spare: Buffer[] = []

  /**
   * Makes room for `size` bytes at `length` and for the unused bytes of the last word, at most one byte less than a
   * word. When the current buffer is too full, its contents become a piece.
   */
  reserve (size: number): void {
    const room = size + wordSize - 1
    if (this.bytes.length - this.length >= room) return
    if (this.length > 0) this.#pieces.push(this.bytes.subarray(0, this.length))
    this.#use(room <= pieceSize ? this.#spare.pop() ?? Buffer.allocUnsafeSlow(pieceSize) : Buffer.allocUnsafeSlow(room))
  }

  #use (bytes: Buffer): void {
    this.bytes = bytes
    this.view = viewOf(bytes)
    this.length = 0
  }

  append (bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  appendByte (byte: number): void {
    this.reserve(1)
    this.bytes[this.length++] = byte
  }

  /** For constants of about ten bytes, such as keys: append() takes ten times as long. */
  appendWords ({ size, words }: Words): void {
    this.reserve(size)
    const { view, length } = this
    for (let index = 0; index < words.length; index++) {
      view.setInt32(length + index * wordSize, words[index] as number, true)
    }
    this.length += size
  }

  /**
   * Copies bytes from `start` up to the first control character or byte of one of the two patterns (see wordOf()), or
   * up to `stop`, and returns that position. There must be room. Most tables spend most of their time in this loop, in
   * backups and in restores.
   */
  appendPlain (from: WordView, start: number, stop: number, first: number, second: number): number {
    const { bytes: input, view } = from
    const { bytes, view: to } = this
    let { length } = this
    let position = start
    for (const lastWord = stop - wordSize; position <= lastWord; position += wordSize, length += wordSize) {
      const word = view.getInt32(position, true)
      to.setInt32(length, word, true)
      const marks = marksOfControls(word) | marksOf(word, first) | marksOf(word, second)
      if (marks !== 0) {
        const plain = bytesBefore(marks)
        this.length = length + plain
        return position + plain
      }
    }
    const [firstByte, secondByte] = [byteOf(first, 0), byteOf(second, 0)]
    for (; position < stop; position++) {
      const byte = input[position] as number
      if (byte < 0x20 || byte === firstByte || byte === secondByte) break
      bytes[length++] = byte
    }
    this.length = length
    return position
  }

  /** For short ranges, such as numbers: creating a subarray takes longer than copying thirty bytes. */
  appendRange (input: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    const { bytes } = this
    let { length } = this
    for (let position = start; position < end; position++) bytes[length++] = input[position] as number
    this.length = length
  }

  /** Whether there are enough bytes for a write. */
  get full (): boolean {
    return this.#pieces.length > 0 || this.length > pieceSize / 2
  }

  /** The number of bytes that take() would return. */
  get size (): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.length, this.length)
  }

  /** Removes and returns all bytes. The queue does not use their memory again until giveBack() returns it. */
  take (): Buffer[] {
    const pieces = this.#pieces
    if (this.length > 0) {
      pieces.push(this.bytes.subarray(0, this.length))
      this.#use(this.#spare.pop() ?? Buffer.allocUnsafeSlow(pieceSize))
    }
    this.#pieces = []
    return pieces
  }

  /**
   * Returns the memory of pieces for reuse: new memory takes as long as the transcoding, since each page is allocated
   * on its first write.
   */
  giveBack (pieces: Buffer[]): void {
    for (const { buffer } of pieces) {
      if (buffer.byteLength === pieceSize && this.#spare.length < spares) this.#spare.push(Buffer.from(buffer))
    }
  }

  mark (): Mark {
    return { pieces: this.#pieces.length, bytes: this.bytes, view: this.view, length: this.length }
  }

  /** Discards what was written after `mark`. take() must not have been called in between. */
  reset ({ pieces, bytes, view, length }: Mark): void {
    this.#pieces.length = pieces
    this.bytes = bytes
    this.view = view
    this.length = length
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length)
