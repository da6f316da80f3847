import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type ElementEncoding, type EncodedColumn } from './column-encoding.ts'
import { toWords, type Words, wordOf, WordSource } from './four-byte-words.ts'

/**
 * Transcodes a line of COPY text (PostgreSQL manual, COPY, "Text Format"), `bytes` from `start` to `end`, to a JSON
 * object. No value becomes a JavaScript string or number, so none is rounded, normalized or decoded.
 *
 * The escapes \\ \b \f \n \r \t are the same two bytes in COPY text and in JSON. These differ: `"`, \v, and the other
 * control characters, which COPY does not escape.
 */
export type CopyToJson = (bytes: Buffer, start: number, end: number, out: ByteQueue) => void

const TAB = 0x09
const NEWLINE = 0x0a
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
const LOWER_U = 0x75
const LOWER_V = 0x76
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const hexDigits = Buffer.from('0123456789abcdef')
const [nullWords, trueWords, falseWords] = ['null', 'true', 'false'].map(toWords) as [Words, Words, Words]
const quotes = wordOf(QUOTE)
const backslashes = wordOf(BACKSLASH)
/** The longest escape of a byte, \u00XX. */
const widest = 6
/** Bytes of input between two checks for room. */
const stride = 4096

/** A column, prepared for the loop over millions of its values, which compares no strings. */
interface Field {
  key: Words
  firstKey: Words
  kind: 'text' | 'number' | 'boolean' | 'jsonb' | 'array'
  element: ElementEncoding
  delimiter: number
}

function fieldOf ({ name, encoding, delimiter }: EncodedColumn): Field {
  const isArray = encoding.endsWith('[]')
  return {
    key: toWords(`,${JSON.stringify(name)}:`),
    firstKey: toWords(`${JSON.stringify(name)}:`),
    kind: isArray ? 'array' : encoding as Exclude<Field['kind'], 'array'>,
    element: isArray ? elementOf(encoding) : 'text',
    delimiter: delimiter.charCodeAt(0)
  }
}

/** Creates the transcoder of a table. It throws for a line that does not have exactly one field for each column. */
export function createCopyToJson (columns: EncodedColumn[]): CopyToJson {
  const fields = columns.map(fieldOf)
  let source = new WordSource(Buffer.alloc(0))

  return (bytes, start, end, out) => {
    // Hundreds of lines are in the same buffer
    if (bytes !== source.bytes) source = new WordSource(bytes)
    out.appendByte(OPEN_BRACE)
    // A line without columns consists of the new line
    let position = fields.length === 0 ? start + 1 : start
    let isFirst = true
    for (const field of fields) {
      const isNull = bytes[position] === BACKSLASH && bytes[position + 1] === UPPER_N
      if (isNull && field.kind === 'jsonb') {
        // SQL NULL is an absent key, since `null` is a valid jsonb value
        position += 3
        continue
      }
      out.appendWords(isFirst ? field.firstKey : field.key)
      isFirst = false
      if (isNull) {
        out.appendWords(nullWords)
        position += 3
      } else {
        position = writeField(source, position, end, field, out) + 1
      }
    }
    if (position !== end) throw new Error('a line of COPY text has more or fewer fields than its table has columns')
    out.appendByte(CLOSE_BRACE)
  }
}

/** Returns the position of the TAB or new line after the field. */
function writeField (source: WordSource, position: number, end: number, field: Field, out: ByteQueue): number {
  const { kind, element, delimiter } = field
  if (kind === 'text') return writeText(source, position, end, out)
  if (kind === 'jsonb') return writeEmbedded(source, position, end, out)
  const first = source.bytes[position] as number
  if (kind === 'boolean') {
    out.appendWords(first === LOWER_T ? trueWords : falseWords)
    return position + 1
  }
  if (kind === 'number' && isNumber(first, source.bytes[position + 1] as number)) {
    return writeDigits(source, position, end, out)
  }
  // NaN and the infinities, which JSON can not represent; arrays with explicit bounds: `[0:1]={a,b}`
  if (kind === 'number' || first !== OPEN_BRACE) return writeText(source, position, end, out)
  const fieldEnd = findFieldEnd(source.bytes, position, end)
  writeArray(unescapeField(source.bytes, position, fieldEnd), element, delimiter, out)
  return fieldEnd
}

/** Bytes that JSON escapes. */
const special = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0)

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE
const isNumber = (first: number, second: number): boolean => isDigit(first) || (first === MINUS && isDigit(second))

function findFieldEnd (bytes: Uint8Array, start: number, end: number): number {
  let position = start
  while (position < end && bytes[position] !== TAB && bytes[position] !== NEWLINE) position++
  return position
}

/** Copies a number up to the TAB or new line. */
function writeDigits (source: WordSource, start: number, end: number, out: ByteQueue): number {
  const stop = Math.min(end, start + stride)
  out.reserve(stop - start)
  return out.appendPlain(source, start, stop, backslashes, backslashes)
}

/** Writes the field at `start` as a JSON string. */
function writeText (source: WordSource, start: number, end: number, out: ByteQueue): number {
  const { bytes } = source
  out.appendByte(QUOTE)
  let position = start
  while (position < end) {
    const stop = Math.min(end, position + stride)
    out.reserve((stop - position + 1) * widest)
    while (position < stop) {
      position = out.appendPlain(source, position, stop, quotes, backslashes)
      if (position === stop) break
      const byte = bytes[position] as number
      if (byte === TAB || byte === NEWLINE) {
        out.appendByte(QUOTE)
        return position
      }
      if (byte === BACKSLASH) {
        const next = bytes[position + 1] as number
        out.length = next === LOWER_V
          ? writeControl(out.bytes, out.length, 0x0b)
          : writePair(out.bytes, out.length, next)
        position += 2
      } else {
        out.length = byte === QUOTE
          ? writePair(out.bytes, out.length, QUOTE)
          : writeControl(out.bytes, out.length, byte)
        position++
      }
    }
  }
  return position
}

function writePair (bytes: Uint8Array, length: number, second: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = second
  return length + 2
}

/** Writes \u00XX, for a control character that has no letter of escape in COPY or in JSON. */
function writeControl (bytes: Uint8Array, length: number, byte: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = LOWER_U
  bytes[length + 2] = ZERO
  bytes[length + 3] = ZERO
  bytes[length + 4] = hexDigits[byte >> 4] as number
  bytes[length + 5] = hexDigits[byte & 15] as number
  return length + 6
}

/** Copies a jsonb value, which is JSON except that COPY doubles backslashes. */
function writeEmbedded (source: WordSource, start: number, end: number, out: ByteQueue): number {
  let position = start
  while (position < end) {
    const stop = Math.min(end, position + stride)
    out.reserve(stop - position)
    position = out.appendPlain(source, position, stop, backslashes, backslashes)
    if (position === stop) continue
    if (source.bytes[position] !== BACKSLASH) return position
    out.appendByte(BACKSLASH)
    position += 2
  }
  return position
}

/** Writes an element of an array: `t` and `f` as booleans, numbers unchanged, NaN and the infinities as strings. */
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

/** Returns the field's value, with COPY's escapes decoded. */
function unescapeField (bytes: Uint8Array, start: number, end: number): Uint8Array {
  const field = bytes.subarray(start, end)
  if (!field.includes(BACKSLASH)) return field
  const value = Buffer.allocUnsafe(field.length)
  let length = 0
  for (let position = 0; position < field.length; position++) {
    let byte = field[position] as number
    if (byte === BACKSLASH) {
      position++
      byte = unescaped[field[position] as number] as number
    }
    value[length++] = byte
  }
  return value.subarray(0, length)
}

const unescaped = Uint8Array.from({ length: 256 }, (_, byte) => byte)
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 })) {
  unescaped[letter.charCodeAt(0)] = byte
}

/** Writes the text of array_out() (PostgreSQL manual, 8.15.6) as a JSON array. */
function writeArray (value: Uint8Array, element: ElementEncoding, delimiter: number, out: ByteQueue): void {
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

/**
 * Reads from after the opening quote, and returns the position after the closing one. A backslash escapes the next
 * byte.
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
  out.reserve(widest)
  const letter = shortEscape[byte] as number
  if (special[byte] === 0) out.bytes[out.length++] = byte
  else if (letter !== 0) out.length = writePair(out.bytes, out.length, letter)
  else out.length = writeControl(out.bytes, out.length, byte)
}

const shortEscape = new Uint8Array(256)
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, f: 12, r: 13, '"': QUOTE, '\\': BACKSLASH })) {
  shortEscape[byte] = letter.charCodeAt(0)
}
