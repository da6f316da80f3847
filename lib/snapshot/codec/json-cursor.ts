import { isUtf8 } from 'node:buffer'
import { byteOf, type Words, wordSize, WordView } from './four-byte-words.ts'

/** The buffered bytes end before the value does: the caller gets more bytes and reads the value again. */
export class Incomplete extends Error {}

/** The text is not JSON, or not the JSON of a snapshot. The message never contains a value. */
export class SnapshotSyntaxError extends Error {}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const COMMA = 0x2c
const COLON = 0x3a
const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const UPPER_E = 0x45
const LOWER_E = 0x65

const incomplete = new Incomplete()
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
/** Bytes that end a number or a word: white space, comma, closing bracket or brace. */
const endsScalar = Uint8Array.from({ length: 256 }, (_, byte) =>
  isSpace(byte) || byte === COMMA || byte === CLOSE_BRACKET || byte === CLOSE_BRACE ? 1 : 0)

/** A position in UTF-8 JSON text (RFC 8259) of which more may arrive: reading past its end throws Incomplete. */
export class JsonCursor {
  bytes: Buffer = Buffer.alloc(0)
  position = 0
  #wordView = new WordView(this.bytes)
  /**
   * Where the bytes end. At the end of the file more cannot arrive, and Incomplete means that the file is truncated.
   */
  end = 0

  /** The same bytes, to read them as words. */
  get wordView (): WordView {
    if (this.#wordView.bytes !== this.bytes) this.#wordView = new WordView(this.bytes)
    return this.#wordView
  }

  peek (): number {
    if (this.position >= this.end) throw incomplete
    return this.bytes[this.position] as number
  }

  accept (byte: number): boolean {
    if (this.peek() !== byte) return false
    this.position++
    return true
  }

  acceptWords ({ size, words, lastMask }: Words): boolean {
    const { position, wordView: { view } } = this
    const last = words.length - 1
    // The last word may extend past the end of the bytes
    if (position + words.length * wordSize > this.end) return this.#acceptTail(size, words)
    for (let index = 0; index < last; index++) {
      if (view.getInt32(position + index * wordSize, true) !== words[index]) return false
    }
    if ((view.getInt32(position + last * wordSize, true) & lastMask) !== words[last]) return false
    this.position += size
    return true
  }

  #acceptTail (size: number, words: Int32Array): boolean {
    for (let index = 0; index < size; index++) {
      if (this.position + index >= this.end) throw incomplete
      if (this.bytes[this.position + index] !== byteOf(words[index >> 2] as number, index & 3)) return false
    }
    this.position += size
    return true
  }

  expect (byte: number, what: string): void {
    if (!this.accept(byte)) throw new SnapshotSyntaxError(`${what} was expected`)
  }

  expectWord (word: string): void {
    for (let index = 0; index < word.length; index++) {
      if (!this.accept(word.charCodeAt(index))) throw new SnapshotSyntaxError('a value of another type was expected')
    }
  }

  skipSpace (): void {
    while (this.position < this.end && isSpace(this.bytes[this.position])) this.position++
  }

  /** Reads a key, its colon and the white space around them. Afterwards the cursor is at the value. */
  readKey (): string {
    this.skipSpace()
    const start = this.position
    this.skipString()
    const token = this.bytes.subarray(start, this.position)
    this.skipSpace()
    this.expect(COLON, 'a colon')
    this.skipSpace()
    return parseString(token)
  }

  /** Moves to the end of a string, without checking its escapes. */
  skipString (): void {
    const start = this.position
    this.expect(QUOTE, 'a string')
    this.position = stringEnd(this.bytes, start, this.end)
  }

  /** Moves to the end of a number (RFC 8259, section 6). */
  skipNumber (): void {
    this.accept(MINUS)
    if (!this.accept(ZERO)) this.#expectDigits()
    if (this.accept(POINT)) this.#expectDigits()
    if (this.accept(LOWER_E) || this.accept(UPPER_E)) {
      if (!this.accept(PLUS)) this.accept(MINUS)
      this.#expectDigits()
    }
  }

  #expectDigits (): void {
    const { bytes, end, position: start } = this
    let position = start
    while (position < end && (bytes[position] as number) >= ZERO && (bytes[position] as number) <= NINE) position++
    this.position = position
    if (position === end) throw incomplete
    if (position === start) throw new SnapshotSyntaxError('a number was expected')
  }

  /**
   * Moves to the end of any value: skips strings and counts brackets. It does not check that the value is valid JSON;
   * the code that reads the value does. Deep nesting needs no stack.
   */
  skipValue (): void {
    const byte = this.peek()
    if (byte === QUOTE) this.skipString()
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#skipNested()
    else this.#skipScalar()
  }

  #skipNested (): void {
    const { bytes, end } = this
    let { position } = this
    let depth = 0
    do {
      if (position >= end) throw incomplete
      const byte = bytes[position] as number
      if (byte === QUOTE) {
        position = stringEnd(bytes, position, end)
        continue
      }
      position++
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    } while (depth > 0)
    this.position = position
  }

  #skipScalar (): void {
    const start = this.position
    while (endsScalar[this.peek()] === 0) this.position++
    if (this.position === start) throw new SnapshotSyntaxError('a value was expected')
  }
}

/** Returns the position after the closing quote of the string whose opening quote is at `start`. */
function stringEnd (bytes: Uint8Array, start: number, end: number): number {
  for (let position = start + 1; position < end; position++) {
    const byte = bytes[position]
    if (byte === QUOTE) return position + 1
    if (byte === BACKSLASH) position++
  }
  throw incomplete
}

/** Decodes a string token. Throws SnapshotSyntaxError when it is not JSON. */
function parseString (token: Buffer): string {
  try {
    // String() replaces what is not UTF-8 by U+FFFD
    if (isUtf8(token)) return JSON.parse(String(token)) as string
  } catch {}
  throw new SnapshotSyntaxError('a key is malformed')
}
