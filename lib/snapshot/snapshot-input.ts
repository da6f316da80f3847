import { LimitExceeded, SnapshotInvalid } from '../errors.ts'
import { createChecksum } from './checksum.ts'
import { Incomplete, JsonCursor, SnapshotSyntaxError } from './codec/json-cursor.ts'
import type { Section } from './hash-sections.ts'

/**
 * Bytes that are buffered, at most, in search of the end of a value, for example of the manifest: one with 2,000 tables
 * of 50 columns each has 6 MB.
 */
const largestPart = 64 * 1024 * 1024
/**
 * The same for a row on one line, as the writer formats it. COPY's lines are shorter than 1 GB, and escapes make them
 * longer.
 */
const largestLine = 2 * 1024 * 1024 * 1024
/** Bytes that are read at once, at least, of a row that is kept in pieces: small chunks take more memory than bytes. */
const keptPiece = 64 * 1024

/** The largest sizes that a file may have that this service did not write, in bytes. */
export interface ReadLimits {
  /** Of one row. */
  rowBytes: number
  /** Of the manifest, or of what the file has in its position. */
  manifestBytes: number
}

/** For this service's own files, which are read whatever they contain. */
export const unlimited: ReadLimits = { rowBytes: Infinity, manifestBytes: Infinity }

/** What the cursor has passed since keep(). */
interface Kept { pieces: Buffer[], bytes: number, hasNewLine: boolean }
const nothingKept = (): Kept => ({ pieces: [], bytes: 0, hasNewLine: false })

/**
 * The bytes of a snapshot file, which a parser requests when it needs them. Each byte belongs to one section, and each
 * section is hashed.
 */
export class SnapshotInput {
  readonly cursor = new JsonCursor()
  readonly #chunks: AsyncIterator<Buffer>
  readonly #limits: ReadLimits
  #checksum = createChecksum()
  /** Where the section begins in the file, and which of the cursor's bytes is the first that is not hashed yet. */
  #section: { offset: number, unhashed: number }
  #total: number
  #hasEnded = false
  #lastNewLine = -1
  #isKeeping = false
  #kept = nothingKept()
  /** What comes before the next chunk, since rewind() went back in front of it: the first piece is the last one. */
  #again: Buffer[] = []

  /** @param start position in the file of the first byte of `chunks` */
  constructor (chunks: AsyncIterable<Buffer>, limits: ReadLimits = unlimited, start = 0) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#limits = limits
    this.#total = start
    this.#section = { offset: start, unhashed: 0 }
  }

  /** Position in the file of the next byte to consume. */
  get bytes (): number {
    return this.#total - this.#unread
  }

  /** The largest row, in bytes. */
  get rowBytes (): number {
    return this.#limits.rowBytes
  }

  get #unread (): number {
    return this.cursor.end - this.cursor.position
  }

  /** Whether all bytes of the file are buffered. */
  get #finished (): boolean {
    return this.#hasEnded && this.#again.length === 0
  }

  /**
   * Calls `parser` again with more bytes until it does not throw Incomplete. Until it succeeds, it must have no effect
   * except on the cursor.
   */
  async parse<T> (parser: () => T): Promise<T> {
    for (;;) {
      const { position } = this.cursor
      try {
        return parser()
      } catch (error) {
        if (!(error instanceof Incomplete)) throw error
        this.cursor.position = position
        await this.#fillPart()
      }
    }
  }

  /**
   * Reads more of a row. Throws at the end of the file, and for a row that is too long and not on one line: where a
   * bracket is damaged, the rest of the file looks like part of the row.
   * @param wanted bytes to read, at least; by default as many as are unread
   */
  async fillRow (wanted?: number): Promise<void> {
    const { position, end } = this.cursor
    // A new line that is the last byte may be the one behind the row
    const isOnSeveralLines = this.#kept.hasNewLine ||
      (this.#lastNewLine > position && this.#lastNewLine < end - 1)
    await this.#fill(isOnSeveralLines ? largestPart : largestLine, this.#limits.rowBytes, () => this.#tooLongRow(),
      wanted)
  }

  /**
   * From now on until rewind(), keeps what the cursor passes, in pieces: one buffer that grows would be copied again
   * and again, and need the memory twice. The cursor must be at the beginning of a row.
   */
  keep (): void {
    this.#compact()
    this.#isKeeping = true
  }

  /**
   * Goes back to where keep() was called. Nothing is buffered then: all that follows is filled in again. Returns the
   * number of bytes that were kept or unread.
   */
  rewind (): number {
    this.#compact()
    const { cursor } = this
    const { pieces, bytes } = this.#kept
    this.#isKeeping = false
    this.#kept = nothingKept()
    this.#again = this.#again.concat(cursor.bytes, pieces.toReversed())
    const total = bytes + cursor.bytes.length
    this.#total -= total
    this.#buffer([])
    return total
  }

  /**
   * False when the unread bytes cannot contain a complete row: the writer ends each row with a new line. True when
   * there is no new line that would show it, or no more bytes.
   */
  mayContainRow (): boolean {
    if (this.#unread === 0) return false
    return this.#finished || this.#lastNewLine === -1 || this.#lastNewLine >= this.cursor.position
  }

  /**
   * Throws FST_BACKUP_LIMIT_EXCEEDED for a row of so many bytes. For a row that is not read completely yet, fillRow()
   * throws it.
   */
  checkRow (bytes: number): void {
    if (bytes > this.#limits.rowBytes) throw this.#tooLongRow()
  }

  /** Ends the current section after the last byte consumed, and begins the next one there. */
  cut (): Section {
    this.#hash()
    const { bytes: end } = this
    const { offset, unhashed } = this.#section
    const section = { offset, bytes: end - offset, checksum: this.#checksum.digest() }
    this.#checksum = createChecksum()
    this.#section = { offset: end, unhashed }
    return section
  }

  /** Consumes all bytes before a position in the file. */
  async skipTo (position: number): Promise<void> {
    const { cursor } = this
    while (this.bytes + this.#unread < position) {
      cursor.position = cursor.end
      await this.#fillPart()
    }
    cursor.position += position - this.bytes
  }

  /**
   * Throws when anything except white space follows. The white space is limited although it is not buffered: a small
   * compressed file can have terabytes of it.
   */
  async expectEnd (): Promise<void> {
    const { bytes: start } = this
    for (;;) {
      this.cursor.skipSpace()
      if (this.#unread > 0) throw new SnapshotInvalid('something follows its end')
      if (this.#finished) return
      if (this.bytes - start > this.#limits.manifestBytes) throw this.#tooLongPart()
      await this.#fillPart()
    }
  }

  async #fillPart (): Promise<void> {
    await this.#fill(largestPart, this.#limits.manifestBytes, () => this.#tooLongPart())
  }

  #tooLongPart (): Error {
    const { manifestBytes } = this.#limits
    return new LimitExceeded('the manifest, or another part,', `manifestBytes allows (${manifestBytes} bytes)`)
  }

  #tooLongRow (): Error {
    return new LimitExceeded('a row', `rowBytes allows (${this.#limits.rowBytes} bytes)`)
  }

  /**
   * Reads at least as many bytes as are unread, so that a parser is called only a few times for a long value. What is
   * kept was read already.
   */
  async #fill (limit: number, bound: number, exceeded: () => Error, wanted?: number): Promise<void> {
    this.#compact()
    const unread = this.#unread + this.#kept.bytes
    if (this.#finished) throw new SnapshotSyntaxError('the file is truncated')
    if (unread > bound) throw exceeded()
    if (unread > limit) throw new SnapshotSyntaxError(`no end was found within ${limit / 1024 / 1024} MiB`)
    // Not more bytes than show that the bound is exceeded
    const usual = Math.min(this.#isKeeping ? keptPiece : unread, bound + 1 - unread)
    const parts = await this.#read(Math.max(1, wanted ?? usual))
    this.#buffer(this.#unread === 0 ? parts : [this.cursor.bytes, ...parts])
  }

  /** Replaces the buffer by the concatenation of `parts`. */
  #buffer (parts: Buffer[]): void {
    const { cursor } = this
    const [first] = parts
    cursor.bytes = first !== undefined && parts.length === 1 ? first : Buffer.concat(parts)
    cursor.position = 0
    cursor.end = cursor.bytes.length
    this.#lastNewLine = cursor.bytes.lastIndexOf(0x0a)
  }

  #hash (): void {
    const { bytes, position } = this.cursor
    this.#checksum.update(bytes.subarray(this.#section.unhashed, position))
    this.#section.unhashed = position
  }

  /** Removes the consumed bytes from the buffer. Those that are kept are hashed when they are read again. */
  #compact (): void {
    const { cursor } = this
    const { position } = cursor
    if (this.#isKeeping) this.#keepPiece(cursor.bytes.subarray(0, position))
    else this.#hash()
    this.#section.unhashed = 0
    cursor.bytes = cursor.bytes.subarray(position)
    cursor.end -= position
    cursor.position = 0
    this.#lastNewLine = Math.max(-1, this.#lastNewLine - position)
  }

  #keepPiece (piece: Buffer): void {
    const kept = this.#kept
    if (piece.length === 0) return
    kept.pieces.push(piece)
    kept.bytes += piece.length
    if (this.#lastNewLine !== -1 && this.#lastNewLine < piece.length) kept.hasNewLine = true
  }

  /** Returns the next chunks: at least `wanted` bytes, or the rest of the file. */
  async #read (wanted: number): Promise<Buffer[]> {
    const parts: Buffer[] = []
    let bytes = 0
    while (bytes < wanted && !this.#finished) {
      const chunk = this.#again.pop() ?? await this.#nextChunk()
      parts.push(chunk)
      bytes += chunk.length
    }
    this.#total += bytes
    return parts
  }

  async #nextChunk (): Promise<Buffer> {
    const { done, value } = await this.#chunks.next()
    if (done !== true) return value
    this.#hasEnded = true
    return Buffer.alloc(0)
  }
}
