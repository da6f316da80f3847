import type { ByteQueue } from './byte-queue.ts'
import type { ElementEncoding } from './column-encoding.ts'
import { toWords, type Words } from './four-byte-words.ts'
import { longestEscape, writeControl, writePair } from './json-escape.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const UPPER_L = 0x4c
const UPPER_N = 0x4e
const UPPER_U = 0x55
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_T = 0x74
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

export const [nullWords, trueWords, falseWords] = ['null', 'true', 'false'].map(toWords) as [Words, Words, Words]

/** Bytes that JSON escapes. */
const special = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0)

/** The letters of JSON's short escapes; 0 for a byte without one. */
const shortEscape = new Uint8Array(256)
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, f: 12, r: 13, '"': QUOTE, '\\': BACKSLASH })) {
  shortEscape[byte] = letter.charCodeAt(0)
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE

/** Whether a text that begins with these bytes is a number, and not NaN or an infinity. */
export const isNumber = (first: number, second: number): boolean =>
  isDigit(first) || (first === MINUS && isDigit(second))

/** Writes the text of array_out() (PostgreSQL manual, 8.15.6) as a JSON array. */
export function writeArray (value: Uint8Array, element: ElementEncoding, delimiter: number, out: ByteQueue): void {
  let position = 0
  while (position < value.length) {
    const byte = value[position] as number
    if (byte === QUOTE) {
      position = writeQuotedElement(value, position + 1, out)
    } else if (byte === OPEN_BRACE || byte === CLOSE_BRACE || byte === delimiter) {
      out.appendByte(byte === OPEN_BRACE ? OPEN_BRACKET : byte === CLOSE_BRACE ? CLOSE_BRACKET : COMMA)
      position++
    } else {
      const start = position
      while (position < value.length && value[position] !== delimiter && value[position] !== CLOSE_BRACE) position++
      if (isNullElement(value, start, position)) out.appendWords(nullWords)
      else if (element === 'text') writeString(value, start, position, out)
      else writeScalar(value, start, position, element, out)
    }
  }
}

/** Whether it is an unquoted NULL. array_out() quotes the text "NULL". */
function isNullElement (value: Uint8Array, start: number, end: number): boolean {
  return end - start === 4 && value[start] === UPPER_N && value[start + 1] === UPPER_U &&
    value[start + 2] === UPPER_L && value[start + 3] === UPPER_L
}

/** Writes `t` and `f` as booleans, numbers unchanged, NaN and the infinities as strings. */
function writeScalar (
  bytes: Uint8Array,
  start: number,
  end: number,
  encoding: 'number' | 'boolean',
  out: ByteQueue
): void {
  if (encoding === 'boolean') out.appendWords(bytes[start] === LOWER_T ? trueWords : falseWords)
  else if (isNumber(bytes[start] as number, bytes[start + 1] as number)) out.appendRange(bytes, start, end)
  else writeString(bytes, start, end, out)
}

/**
 * Starts after the opening quote, and returns the position after the closing one. A backslash escapes the next byte.
 */
function writeQuotedElement (value: Uint8Array, start: number, out: ByteQueue): number {
  let position = start
  out.appendByte(QUOTE)
  while (position < value.length && value[position] !== QUOTE) {
    if (value[position] === BACKSLASH) position++
    writeCharacter(value[position++] as number, out)
  }
  out.appendByte(QUOTE)
  return position + 1
}

/** Writes bytes without escapes as a JSON string. */
function writeString (bytes: Uint8Array, start: number, end: number, out: ByteQueue): void {
  out.appendByte(QUOTE)
  for (let position = start; position < end; position++) writeCharacter(bytes[position] as number, out)
  out.appendByte(QUOTE)
}

function writeCharacter (byte: number, out: ByteQueue): void {
  out.reserve(longestEscape)
  const letter = shortEscape[byte] as number
  if (special[byte] === 0) out.bytes[out.length++] = byte
  else if (letter !== 0) out.length = writePair(out.bytes, out.length, letter)
  else out.length = writeControl(out.bytes, out.length, byte)
}
