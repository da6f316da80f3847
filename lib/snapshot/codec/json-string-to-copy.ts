import type { ByteQueue } from './byte-queue.ts'
import { Incomplete, type JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { wordOf } from './four-byte-words.ts'

const QUOTE = 0x22
const SLASH = 0x2f
const BACKSLASH = 0x5c
const LOWER_U = 0x75

/** Bytes at which a loop over plain text stops. */
const special = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0)
/** Letters after a backslash that mean the same in JSON and in COPY text, and the backslash. */
const shared = new Uint8Array(256)
for (const letter of 'bfnrt\\') shared[letter.charCodeAt(0)] = letter.charCodeAt(0)
/** The letters with which COPY escapes control characters. */
const copyLetter = new Uint8Array(256)
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '\\': BACKSLASH })) {
  copyLetter[byte] = letter.charCodeAt(0)
}
/** Bytes of input between two checks for room. */
const stride = 16_384
const quotes = wordOf(QUOTE)
const backslashes = wordOf(BACKSLASH)

/** Writes `byte` as COPY TO writes it, and returns the new length. There must be room for two bytes. */
export function writeCopyByte (bytes: Uint8Array, length: number, byte: number): number {
  const letter = copyLetter[byte] as number
  if (letter === 0) {
    bytes[length] = byte
    return length + 1
  }
  bytes[length] = BACKSLASH
  bytes[length + 1] = letter
  return length + 2
}

/**
 * Returns the code point of the escape whose `u` is at `position`, and the position after it. A high surrogate must be
 * followed by a low one: a lone surrogate is not a character, and PostgreSQL cannot store it. Nor can PostgreSQL store
 * NUL.
 */
export function readUnicodeEscape (
  { bytes, end }: JsonCursor,
  position: number
): { code: number, position: number } {
  const high = hexAt(bytes, position + 1, end)
  if (high === 0) throw new SnapshotSyntaxError('a string contains \\u0000, which PostgreSQL cannot store')
  if (high < 0xd800 || high > 0xdfff) return { code: high, position: position + 5 }
  if (high < 0xdc00) {
    if (position + 7 > end) throw new Incomplete()
    if (bytes[position + 5] === BACKSLASH && bytes[position + 6] === LOWER_U) {
      const low = hexAt(bytes, position + 7, end)
      if (low >= 0xdc00 && low <= 0xdfff) {
        return { code: 0x10000 + ((high - 0xd800) << 10) + low - 0xdc00, position: position + 11 }
      }
    }
  }
  throw new SnapshotSyntaxError('a string contains a lone surrogate')
}

function hexAt (bytes: Uint8Array, position: number, end: number): number {
  if (position + 4 > end) throw new Incomplete()
  let code = 0
  for (let index = position; index < position + 4; index++) {
    const digit = hexValue[bytes[index] as number] as number
    if (digit === notHex) throw new SnapshotSyntaxError('a \\u escape is malformed')
    code = code * 16 + digit
  }
  return code
}

const notHex = 16
const hexValue = new Uint8Array(256).fill(notHex)
for (const digits of ['0123456789abcdef', '0123456789ABCDEF']) {
  for (const [value, digit] of [...digits].entries()) hexValue[digit.charCodeAt(0)] = value
}

/** Writes the JSON string at the cursor as a COPY field. */
export function writeString (cursor: JsonCursor, out: ByteQueue): void {
  cursor.expect(QUOTE, 'a string')
  const { wordView: input, end } = cursor
  let { position } = cursor
  for (;;) {
    const stop = Math.min(end, position + stride)
    // A field is never longer than its JSON string, but an escape may begin before `stop` and end after it
    out.reserve(stop - position + 4)
    const { bytes } = out
    while (position < stop) {
      position = out.appendPlain(input, position, stop, quotes, backslashes)
      if (position === stop) break
      const byte = input.bytes[position] as number
      if (byte === BACKSLASH) {
        if (position + 1 >= end) throw new Incomplete()
        const next = input.bytes[position + 1] as number
        if (shared[next] !== 0) {
          bytes[out.length++] = BACKSLASH
          bytes[out.length++] = next
          position += 2
        } else if (next === QUOTE || next === SLASH) {
          bytes[out.length++] = next
          position += 2
        } else if (next === LOWER_U) {
          const { code, position: after } = readUnicodeEscape(cursor, position + 1)
          out.length = writeCodePoint(bytes, out.length, code)
          position = after
        } else {
          throw new SnapshotSyntaxError(unknownEscape)
        }
      } else if (byte === QUOTE) {
        cursor.position = position + 1
        return
      } else {
        throw new SnapshotSyntaxError(rawControl)
      }
    }
    if (position >= end) throw new Incomplete()
  }
}

function writeCodePoint (bytes: Buffer, length: number, code: number): number {
  if (code < 0x80) return writeCopyByte(bytes, length, code)
  return length + bytes.write(String.fromCodePoint(code), length)
}

/** Decodes the JSON string at the cursor. Without escapes, the result is a view of the bytes of the cursor. */
export function readStringBytes (cursor: JsonCursor): Uint8Array {
  const { bytes: input } = cursor
  const start = cursor.position + 1
  cursor.skipString()
  const end = cursor.position - 1
  let position = start
  while (special[input[position] as number] === 0) position++
  if (position === end) return input.subarray(start, end)
  // A string is never longer than its JSON
  const text = Buffer.allocUnsafe(end - start)
  let length = 0
  for (position = start; position < end;) {
    const byte = input[position] as number
    if (byte < 0x20) throw new SnapshotSyntaxError(rawControl)
    if (byte !== BACKSLASH) {
      text[length++] = byte
      position++
      continue
    }
    const next = input[position + 1] as number
    if (next === LOWER_U) {
      const escape = readUnicodeEscape(cursor, position + 1)
      length += text.write(String.fromCodePoint(escape.code), length)
      position = escape.position
    } else {
      text[length++] = unescapeLetter(next)
      position += 2
    }
  }
  return text.subarray(0, length)
}

function unescapeLetter (letter: number): number {
  const byte = escaped[letter] as number
  if (byte === 0) throw new SnapshotSyntaxError(unknownEscape)
  return byte
}

const rawControl = 'a string contains a raw control character'
const unknownEscape = 'a string contains an escape that is not valid JSON'
const escaped = new Uint8Array(256)
const letters = { b: 8, t: 9, n: 10, f: 12, r: 13, '"': QUOTE, '/': SLASH, '\\': BACKSLASH }
for (const [letter, byte] of Object.entries(letters)) escaped[letter.charCodeAt(0)] = byte
