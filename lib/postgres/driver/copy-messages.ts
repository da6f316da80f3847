/** Takes a row, its new line included, from where it lies among others. False: no more for now; what has arrived already still comes. */
export type TakeRow = (bytes: Buffer, start: number, end: number) => boolean

const noBytes = Buffer.alloc(0)
const copyData = 0x64
/** A type and a length, which counts itself and not the type (manual, 55.7). */
const headerSize = 5
/** The length of a message without a body. */
const smallest = 4

/** Tells the rows of `COPY … TO STDOUT` from all else that a server sends, however it was cut into chunks. */
export class CopyMessages {
  /** Is given each row while it is there. What the row lies in is used again when it has returned. */
  take: TakeRow | undefined
  readonly #forward: (chunk: Buffer) => void
  readonly #holdBack: () => void
  /** Bytes that are still to come of a message that is forwarded. */
  #missing = 0
  /** A header that has not arrived as a whole. */
  #beginning: Buffer = noBytes
  /** A row that has not, and how much of it is there. */
  #row: Buffer | undefined
  #filled = 0
  /** What comes is no message of PostgreSQL: a wrong port, say. */
  #isForeign = false

  /**
   * @param forward is given all but the rows, in chunks to keep
   * @param holdBack is called when no more rows are wanted for now
   */
  constructor (forward: (chunk: Buffer) => void, holdBack: () => void) {
    this.#forward = forward
    this.#holdBack = holdBack
  }

  /** Takes the first `count` bytes, which may be written over afterwards. */
  receive (arrived: Buffer, count: number): void {
    const chunk = this.#beginning.length === 0 ? arrived : Buffer.concat([this.#beginning, arrived.subarray(0, count)])
    const length = this.#beginning.length + count
    this.#beginning = noBytes
    let position = this.#row === undefined ? this.#missing : this.#fillRow(this.#row, chunk, 0, length)
    // What lies between the two is forwarded
    let from = this.#missing > 0 ? 0 : position
    while (position + headerSize <= length && !this.#isForeign) {
      const size = chunk.readUInt32BE(position + 1)
      if (size < smallest) {
        this.#isForeign = true
        break
      }
      const end = position + 1 + size
      if (chunk[position] === copyData) {
        // It may hold what begins the COPY
        this.#pass(chunk, from, position)
        from = position
        if (this.take !== undefined) from = this.#takeRow(chunk, position + headerSize, end, length)
      }
      position = end
    }
    if (this.#isForeign) position = length
    if (position < length) this.#beginning = Buffer.from(chunk.subarray(position, length))
    this.#missing = this.#row === undefined ? Math.max(0, position - length) : 0
    this.#pass(chunk, from, Math.min(position, length))
  }

  /** A copy, since the memory is used again. */
  #pass (chunk: Buffer, start: number, end: number): void {
    if (start < end) this.#forward(Buffer.from(chunk.subarray(start, end)))
  }

  /** Gives the position behind the row, or behind what is there of it. */
  #takeRow (chunk: Buffer, start: number, end: number, length: number): number {
    if (end <= length) {
      this.#give(chunk, start, end)
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
      this.#give(row, 0, row.length)
    }
    return start + copied
  }

  #give (bytes: Buffer, start: number, end: number): void {
    if (this.take?.(bytes, start, end) === false) this.#holdBack()
  }
}
