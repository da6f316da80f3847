import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type EncodedColumn, type Encoding } from './column-encoding.ts'

/**
 * From a line of COPY text (manual, COPY, "Text Format") to a JSON object. Bytes in, bytes out: no value becomes a JavaScript string
 * or number, so none is rounded, normalised or decoded.
 *
 * COPY and JSON escape almost alike: \\ \b \f \n \r \t are the same two bytes in both. What differs: `"`, \v, and the other
 * control characters, which COPY leaves raw.
 */
export type CopyToJson = (line: Uint8Array, out: ByteQueue) => void

const TAB = 0x09
const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const UPPER_N = 0x4e
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_T = 0x74
const LOWER_U = 0x75
const LOWER_V = 0x76
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const hexDigits = Buffer.from('0123456789abcdef')
const [nullBytes, trueBytes, falseBytes] = [Buffer.from('null'), Buffer.from('true'), Buffer.from('false')]
/** Bytes that a loop over plain text has to stop at. */
const special = Uint8Array.from({ length: 256 }, (_, byte) => byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0)
/** At most \u00XX for a byte. */
const widest = 6
/** Bytes of input looked at between two checks for room. */
const stride = 4096

/** The transcoder of a table. It throws for a line that has not one whole field for each column. */
export function createCopyToJson (columns: EncodedColumn[]): CopyToJson {
  const fields = columns.map((column) => {
    const key = Buffer.from(`,${JSON.stringify(column.name)}:`)
    return { ...column, key, firstKey: key.subarray(1) }
  })

  return (line, out) => {
    out.appendByte(OPEN_BRACE)
    // Without columns, the new line is all there is
    let position = fields.length === 0 ? 1 : 0
    let isFirst = true
    for (const field of fields) {
      const isNull = line[position] === BACKSLASH && line[position + 1] === UPPER_N
      if (isNull && field.encoding === 'jsonb') {
        // An absent key, since `null` is a value that jsonb can hold
        position += 3
        continue
      }
      out.append(isFirst ? field.firstKey : field.key)
      isFirst = false
      if (isNull) {
        out.append(nullBytes)
        position += 3
      } else {
        position = writeField(line, position, field, out) + 1
      }
    }
    if (position !== line.length) throw new Error('a line of COPY text has other fields than its table has columns')
    out.appendByte(CLOSE_BRACE)
  }
}

/** Gives the position of the TAB or the new line behind the field. */
function writeField (line: Uint8Array, position: number, { encoding, delimiter }: EncodedColumn, out: ByteQueue): number {
  if (encoding === 'text') return writeText(line, position, out)
  if (encoding === 'jsonb') return writeEmbedded(line, position, out)
  const end = fieldEnd(line, position)
  if (encoding === 'number' || encoding === 'boolean') {
    writeScalar(line, position, end, encoding, out)
  } else if (line[position] === OPEN_BRACE) {
    writeArray(unescapeField(line, position, end), encoding, delimiter.charCodeAt(0), out)
  } else {
    // Bounds of its own: `[0:1]={a,b}`
    writeText(line, position, out)
  }
  return end
}

function fieldEnd (line: Uint8Array, start: number): number {
  let position = start
  while (position < line.length && line[position] !== TAB && line[position] !== NEWLINE) position++
  return position
}

/** A JSON string of the field at `start`. The hot loop of most tables: plain bytes are copied one by one, which V8 does fastest. */
function writeText (line: Uint8Array, start: number, out: ByteQueue): number {
  out.appendByte(QUOTE)
  let position = start
  while (position < line.length) {
    const stop = Math.min(line.length, position + stride)
    out.reserve((stop - position + 1) * widest)
    const { bytes } = out
    let length = out.length
    while (position < stop) {
      const byte = line[position] as number
      if (special[byte] === 0) {
        bytes[length++] = byte
        position++
      } else if (byte === BACKSLASH) {
        const next = line[position + 1] as number
        length = next === LOWER_V ? writeControl(bytes, length, 0x0b) : writePair(bytes, length, next)
        position += 2
      } else if (byte === TAB || byte === NEWLINE) {
        bytes[length++] = QUOTE
        out.length = length
        return position
      } else {
        length = byte === QUOTE ? writePair(bytes, length, QUOTE) : writeControl(bytes, length, byte)
        position++
      }
    }
    out.length = length
  }
  return position
}

function writePair (bytes: Uint8Array, length: number, second: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = second
  return length + 2
}

/** \u00XX: a control character that COPY has no letter for, or JSON has not. */
function writeControl (bytes: Uint8Array, length: number, byte: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = LOWER_U
  bytes[length + 2] = ZERO
  bytes[length + 3] = ZERO
  bytes[length + 4] = hexDigits[byte >> 4] as number
  bytes[length + 5] = hexDigits[byte & 15] as number
  return length + 6
}

/** A jsonb value: it is JSON already, but for the backslashes that COPY doubled. */
function writeEmbedded (line: Uint8Array, start: number, out: ByteQueue): number {
  let position = start
  while (position < line.length) {
    const stop = Math.min(line.length, position + stride)
    out.reserve(stop - position)
    const { bytes } = out
    let length = out.length
    while (position < stop) {
      const byte = line[position] as number
      if (byte === TAB || byte === NEWLINE) {
        out.length = length
        return position
      }
      bytes[length++] = byte
      position += byte === BACKSLASH ? 2 : 1
    }
    out.length = length
  }
  return position
}

/** `t` and `f`; numbers as they are, but for NaN and the infinities, which JSON does not know. */
function writeScalar (bytes: Uint8Array, start: number, end: number, encoding: 'number' | 'boolean', out: ByteQueue): void {
  if (encoding === 'boolean') {
    out.append(bytes[start] === LOWER_T ? trueBytes : falseBytes)
    return
  }
  const digit = bytes[start] === MINUS ? bytes[start + 1] as number : bytes[start] as number
  if (digit >= ZERO && digit <= NINE) {
    out.appendRange(bytes, start, end)
  } else {
    writeString(bytes, start, end, out)
  }
}

/** The field's value, without COPY's escapes. */
function unescapeField (line: Uint8Array, start: number, end: number): Uint8Array {
  const field = line.subarray(start, end)
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
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 })) unescaped[letter.charCodeAt(0)] = byte

/** array_out()'s text (manual, 8.15.6) as a JSON array. */
function writeArray (value: Uint8Array, encoding: Encoding, delimiter: number, out: ByteQueue): void {
  const element = elementOf(encoding)
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
      if (isNullElement(value, start, position)) out.append(nullBytes)
      else if (element === 'text') writeString(value, start, position, out)
      else writeScalar(value, start, position, element, out)
    }
  }
}

/** An unquoted NULL; the text "NULL" stands in quotes. */
function isNullElement (value: Uint8Array, start: number, end: number): boolean {
  return end - start === 4 && value[start] === UPPER_N && value[start + 1] === 0x55 && value[start + 2] === 0x4c && value[start + 3] === 0x4c
}

/** From behind the opening quote; gives the position behind the closing one. A backslash makes the next byte a plain one. */
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

/** A JSON string of plain bytes: nothing in them is an escape. */
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
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, f: 12, r: 13, '"': QUOTE, '\\': BACKSLASH })) shortEscape[byte] = letter.charCodeAt(0)
