import { bytesBefore, byteOf, marksOf, marksOfControls, type Words, type WordSource, wordSize } from './four-byte-words.ts'

/** Size of a piece, in bytes: large enough that a write is worth its call, small enough to keep memory flat. */
export const pieceSize = 256 * 1024
/** One piece is filled while others are written. */
const spares = 4

export interface Mark { pieces: number, bytes: Buffer, view: DataView, length: number }

/**
 * Bytes on their way from a transcoder to a file or a socket. A transcoder writes to `bytes` at `length` by itself, which is
 * the reason for the public fields: a call per byte would cost more than the work.
 */
export class ByteQueue {
  bytes: Buffer = Buffer.allocUnsafeSlow(pieceSize)
  /** Of the same bytes, for whole words. */
  view: DataView = viewOf(this.bytes)
  length = 0
  #pieces: Buffer[] = []
  #spare: Buffer[] = []

  /**
   * Makes room for `size` bytes at `length`, and one byte less than a word behind them, since the last word may hold only one of them;
   * what is there becomes a piece when the current buffer is too full.
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

  /** For constants of some ten bytes, keys say: append() takes ten times as long. */
  appendWords ({ size, words }: Words): void {
    this.reserve(size)
    const { view, length } = this
    for (let index = 0; index < words.length; index++) view.setInt32(length + index * wordSize, words[index] as number, true)
    this.length += size
  }

  /**
   * Copies the bytes from `start` up to the first one that is a control character or that of one of the two patterns (see wordOf()), or to `stop`;
   * gives its position. There must be room. The hot loop of most tables, both ways.
   */
  appendPlain ({ bytes: source, view: from }: WordSource, start: number, stop: number, first: number, second: number): number {
    const { bytes, view: to } = this
    let { length } = this
    let position = start
    for (const lastWord = stop - wordSize; position <= lastWord; position += wordSize, length += wordSize) {
      const word = from.getInt32(position, true)
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
      const byte = source[position] as number
      if (byte < 0x20 || byte === firstByte || byte === secondByte) break
      bytes[length++] = byte
    }
    this.length = length
    return position
  }

  /** For short ones, numbers say: it takes longer to make a subarray than to copy thirty bytes. */
  appendRange (source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    const { bytes } = this
    let { length } = this
    for (let position = start; position < end; position++) bytes[length++] = source[position] as number
    this.length = length
  }

  /** Whether there is a piece's worth to take. */
  get full (): boolean {
    return this.#pieces.length > 0 || this.length > pieceSize / 2
  }

  /** Everything so far; the queue is empty afterwards, and never touches these bytes again unless they are given back. */
  take (): Buffer[] {
    const pieces = this.#pieces
    if (this.length > 0) {
      pieces.push(this.bytes.subarray(0, this.length))
      this.#use(this.#spare.pop() ?? Buffer.allocUnsafeSlow(pieceSize))
    }
    this.#pieces = []
    return pieces
  }

  /** What was taken may be written over: memory that is new costs as much as what is done with it, for its pages are made one by one. */
  giveBack (pieces: Buffer[]): void {
    for (const { buffer } of pieces) {
      if (buffer.byteLength === pieceSize && this.#spare.length < spares) this.#spare.push(Buffer.from(buffer))
    }
  }

  mark (): Mark {
    return { pieces: this.#pieces.length, bytes: this.bytes, view: this.view, length: this.length }
  }

  /** Forgets what came after `mark`; nothing may have been taken in between. */
  reset ({ pieces, bytes, view, length }: Mark): void {
    this.#pieces.length = pieces
    this.bytes = bytes
    this.view = view
    this.length = length
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length)
