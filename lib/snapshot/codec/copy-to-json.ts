import { falseWords, isNumber, nullWords, trueWords, writeArray } from './array-to-json.ts'
import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type ElementEncoding, type EncodedColumn } from './column-encoding.ts'
import { toWords, type Words, wordOf, WordView } from './four-byte-words.ts'
import { longestEscape, writeControl, writePair } from './json-escape.ts'

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
const UPPER_N = 0x4e
const BACKSLASH = 0x5c
const LOWER_T = 0x74
const LOWER_V = 0x76
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const quotes = wordOf(QUOTE)
const backslashes = wordOf(BACKSLASH)
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

export const malformedLine = (): Error =>
  new Error('a line of COPY text has more or fewer fields than its table has columns')

/** Creates the transcoder of a table. It throws for a line that does not have exactly one field for each column. */
export function createCopyToJson (columns: EncodedColumn[]): CopyToJson {
  const fields = columns.map(fieldOf)
  let input = new WordView(Buffer.alloc(0))

  return (bytes, start, end, out) => {
    // Hundreds of lines are in the same buffer
    if (bytes !== input.bytes) input = new WordView(bytes)
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
        position = writeField(input, position, end, field, out) + 1
      }
    }
    if (position !== end) throw malformedLine()
    out.appendByte(CLOSE_BRACE)
  }
}

/** Returns the position of the TAB or new line after the field. */
function writeField (input: WordView, position: number, end: number, field: Field, out: ByteQueue): number {
  const { kind, element, delimiter } = field
  if (kind === 'text') return writeText(input, position, end, out)
  if (kind === 'jsonb') return writeEmbedded(input, position, end, out)
  const first = input.bytes[position] as number
  if (kind === 'boolean') {
    out.appendWords(first === LOWER_T ? trueWords : falseWords)
    return position + 1
  }
  if (kind === 'number' && isNumber(first, input.bytes[position + 1] as number)) {
    return writeDigits(input, position, end, out)
  }
  // NaN and the infinities, which JSON cannot represent; arrays with explicit bounds: `[0:1]={a,b}`
  if (kind === 'number' || first !== OPEN_BRACE) return writeText(input, position, end, out)
  const fieldEnd = findFieldEnd(input.bytes, position, end)
  writeArray(unescapeField(input.bytes, position, fieldEnd), element, delimiter, out)
  return fieldEnd
}

function findFieldEnd (bytes: Uint8Array, start: number, end: number): number {
  let position = start
  while (position < end && bytes[position] !== TAB && bytes[position] !== NEWLINE) position++
  return position
}

/** Copies a number up to the TAB or new line. */
function writeDigits (input: WordView, start: number, end: number, out: ByteQueue): number {
  const stop = Math.min(end, start + stride)
  out.reserve(stop - start)
  return out.appendPlain(input, start, stop, backslashes, backslashes)
}

/** Writes the field at `start` as a JSON string. */
function writeText (input: WordView, start: number, end: number, out: ByteQueue): number {
  const { bytes } = input
  out.appendByte(QUOTE)
  let position = start
  while (position < end) {
    const stop = Math.min(end, position + stride)
    out.reserve((stop - position + 1) * longestEscape)
    while (position < stop) {
      position = out.appendPlain(input, position, stop, quotes, backslashes)
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

/** Copies a jsonb value, which is JSON except that COPY doubles backslashes. */
function writeEmbedded (input: WordView, start: number, end: number, out: ByteQueue): number {
  let position = start
  while (position < end) {
    const stop = Math.min(end, position + stride)
    out.reserve(stop - position)
    position = out.appendPlain(input, position, stop, backslashes, backslashes)
    if (position === stop) continue
    if (input.bytes[position] !== BACKSLASH) return position
    out.appendByte(BACKSLASH)
    position += 2
  }
  return position
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
