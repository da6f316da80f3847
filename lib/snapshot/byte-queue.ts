/** Size of a piece, in bytes: large enough that a write is worth its call, small enough to keep memory flat. */
export const pieceSize = 256 * 1024

export interface Mark { pieces: number, bytes: Buffer, length: number }

/**
 * Bytes on their way from a transcoder to a file or a socket. A transcoder writes to `bytes` at `length` by itself, which is
 * the reason for the public fields: a call per byte would cost more than the work.
 */
export class ByteQueue {
  bytes: Buffer = Buffer.allocUnsafeSlow(pieceSize)
  length = 0
  #pieces: Buffer[] = []

  /** Makes room for `size` bytes at `length`; what is there becomes a piece when the current buffer is too full. */
  reserve (size: number): void {
    if (this.bytes.length - this.length >= size) return
    if (this.length > 0) this.#pieces.push(this.bytes.subarray(0, this.length))
    this.bytes = Buffer.allocUnsafeSlow(Math.max(size, pieceSize))
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

  /** Everything so far; the queue is empty afterwards, and never touches these bytes again. */
  take (): Buffer[] {
    const pieces = this.#pieces
    if (this.length > 0) {
      pieces.push(this.bytes.subarray(0, this.length))
      this.bytes = this.bytes.subarray(this.length)
      this.length = 0
    }
    this.#pieces = []
    return pieces
  }

  mark (): Mark {
    return { pieces: this.#pieces.length, bytes: this.bytes, length: this.length }
  }

  /** Forgets what came after `mark`; nothing may have been taken in between. */
  reset ({ pieces, bytes, length }: Mark): void {
    this.#pieces.length = pieces
    this.bytes = bytes
    this.length = length
  }
}
