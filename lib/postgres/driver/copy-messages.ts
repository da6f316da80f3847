/**
 * Gets a row with its new line, as a range of a buffer that contains others, too. False pauses the socket; rows that
 * have arrived are still passed.
 */
export type TakeRow = (bytes: Buffer, start: number, end: number) => boolean

/**
 * Gets messages with rows, of which the first and the last one need not be complete: what arrives next continues the
 * last one. Returns the position of the first byte that it has not taken: that of another message, or of an incomplete
 * header. `proceed: false` pauses the socket.
 */
export type TakeMessages = (bytes: Buffer, start: number, end: number) => { position: number, proceed: boolean }

const noBytes = Buffer.alloc(0)
const copyData = 0x64
/** A type and a length. The length includes itself and not the type (manual, 55.7). */
const headerSize = 5
/** The length of a message without a body. */
const smallest = 4

/** Separates the rows of `COPY … TO STDOUT` from everything else that a server sends, in chunks of any size. */
export class CopyMessages {
  /** Gets each row while it is set. The memory of the row is reused after it has returned. */
  take: TakeRow | undefined
  /** While it is set, gets messages instead. Their memory is reused after it has returned. */
  takeMessages: TakeMessages | undefined
  readonly #forward: (chunk: Buffer) => void
  readonly #pause: () => void
  /** Bytes that are missing of a message that is forwarded. */
  #missing = 0
  /** A header that has not arrived completely. */
  #beginning: Buffer = noBytes
  /** A row that has not arrived completely, and how many of its bytes have. */
  #row: Buffer | undefined
  #filled = 0
  /** takeMessages() has taken all that has arrived, and may have ended in a row. */
  #isInMessages = false
  /** Nothing is processed for now, and what has arrived is kept. */
  #isHeld = false
  #kept: Buffer[] = []
  /** The other side does not send messages of PostgreSQL, for example at a wrong port. */
  #isOtherProtocol = false

  /**
   * @param forward gets everything except the rows, in chunks that it may keep
   * @param pause is called when `take` returns false, or `takeMessages` returns `proceed: false`
   */
  constructor (forward: (chunk: Buffer) => void, pause: () => void) {
    this.#forward = forward
    this.#pause = pause
  }

  /** Processes the first `count` bytes. Their memory may be reused afterwards. */
  receive (arrived: Buffer, count: number): void {
    if (this.#isHeld) {
      this.#keep(arrived, 0, count)
      return
    }
    const chunk = this.#beginning.length === 0
      ? arrived
      : Buffer.concat([this.#beginning, arrived.subarray(0, count)])
    const length = this.#beginning.length + count
    this.#beginning = noBytes
    let position = this.#continue(chunk, length)
    // Bytes between the two are forwarded
    let from = this.#missing > 0 ? 0 : position
    while (position + headerSize <= length && !this.#isOtherProtocol) {
      const size = chunk.readUInt32BE(position + 1)
      if (size < smallest) {
        this.#isOtherProtocol = true
        break
      }
      const end = position + 1 + size
      if (chunk[position] === copyData) {
        // It may contain the message that begins the COPY
        this.#pass(chunk, from, position)
        if (this.#isHeld) {
          this.#missing = 0
          this.#keep(chunk, position, length)
          return
        }
        from = position
        position = this.#takeData(chunk, position, end, length)
        if (this.#isTaking) from = position
      } else {
        position = end
      }
    }
    if (this.#isOtherProtocol) position = length
    if (position < length) this.#beginning = Buffer.from(chunk.subarray(position, length))
    this.#missing = this.#row === undefined ? Math.max(0, position - length) : 0
    this.#pass(chunk, from, Math.min(position, length))
  }

  /** Keeps everything that follows the chunk that `forward` gets at this moment, or got last, and calls `pause`. */
  hold (): void {
    this.#isHeld = true
    this.#pause()
  }

  /** Processes what was kept since hold(). */
  release (): void {
    const kept = Buffer.concat(this.#kept)
    this.#kept = []
    this.#isHeld = false
    if (kept.length > 0) this.receive(kept, kept.length)
  }

  #keep (chunk: Buffer, start: number, end: number): void {
    this.#kept.push(Buffer.from(chunk.subarray(start, end)))
  }

  get #isTaking (): boolean {
    return this.take !== undefined || this.takeMessages !== undefined
  }

  /** Continues the message that was not complete, and returns the position of the next one. */
  #continue (chunk: Buffer, length: number): number {
    const { takeMessages } = this
    if (this.#isInMessages && takeMessages !== undefined) return this.#passMessages(takeMessages, chunk, 0, length)
    return this.#row === undefined ? this.#missing : this.#fillRow(this.#row, chunk, 0, length)
  }

  /** Takes a row, or several. Returns the position after them, or after the part that has arrived. */
  #takeData (chunk: Buffer, position: number, end: number, length: number): number {
    const { takeMessages } = this
    if (takeMessages !== undefined) return this.#passMessages(takeMessages, chunk, position, length)
    return this.take === undefined ? end : this.#takeRow(chunk, position + headerSize, end, length)
  }

  #passMessages (takeMessages: TakeMessages, chunk: Buffer, start: number, length: number): number {
    const { position, proceed } = takeMessages(chunk, start, length)
    this.#isInMessages = position === length
    if (!proceed) this.#pause()
    return position
  }

  /** Forwards a copy, because the memory is reused. */
  #pass (chunk: Buffer, start: number, end: number): void {
    if (start < end) this.#forward(Buffer.from(chunk.subarray(start, end)))
  }

  /** Returns the position after the row, or after its part that has arrived. */
  #takeRow (chunk: Buffer, start: number, end: number, length: number): number {
    if (end <= length) {
      this.#deliver(chunk, start, end)
      return end
    }
    this.#filled = 0
    this.#row = Buffer.allocUnsafeSlow(end - start)
    return this.#fillRow(this.#row, chunk, start, length)
  }

  #fillRow (row: Buffer, chunk: Buffer, start: number, length: number): number {
    const copied = chunk.copy(row, this.#filled, start, length)
    this.#filled += copied
    if (this.#filled === row.length) {
      this.#row = undefined
      this.#deliver(row, 0, row.length)
    }
    return start + copied
  }

  #deliver (bytes: Buffer, start: number, end: number): void {
    if (this.take?.(bytes, start, end) === false) this.#pause()
  }
}
