import type { ByteQueue } from './byte-queue.ts'
import type { ElementEncoding } from './column-encoding.ts'
import type { JsonCursor } from './json-cursor.ts'
import { readStringBytes, writeCopyByte } from './json-string-to-copy.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

const stride = 16_384

/** Writes bytes as a COPY field that stands for exactly them. */
export function writeCopyEscaped (source: Uint8Array, start: number, end: number, out: ByteQueue): void {
  for (let position = start; position < end;) {
    const stop = Math.min(end, position + stride)
    out.reserve((stop - position) * 2)
    let length = out.length
    while (position < stop) length = writeCopyByte(out.bytes, length, source[position++] as number)
    out.length = length
  }
}

/** A scalar in a JSON array, as array_out() would have written it: then COPY's text comes back byte for byte. */
export function writeArrayElement (cursor: JsonCursor, element: ElementEncoding, delimiter: number, out: ByteQueue): void {
  const byte = cursor.peek()
  if (byte === 0x6e) {
    cursor.expectWord('null')
    out.append(nullElement)
  } else if (element === 'boolean') {
    cursor.expectWord(byte === 0x74 ? 'true' : 'false')
    out.append(byte === 0x74 ? trueElement : falseElement)
  } else if (element === 'number' && byte !== QUOTE) {
    out.append(cursor.readNumber())
  } else {
    writeTextElement(readStringBytes(cursor), delimiter, out)
  }
}

const nullElement = Buffer.from('NULL')
const trueElement = Buffer.from('t')
const falseElement = Buffer.from('f')

/** array_out() quotes what would be misread: braces, quotes, backslashes, the delimiter, white space, nothing at all, and NULL. */
const quoted = new Uint8Array(256)
for (const character of '{}"\\ \t\n\v\f\r') quoted[character.charCodeAt(0)] = 1

/** NULL in any case, which array_in() would take for the absent value. */
const isNullWord = (text: Uint8Array): boolean => [...'null'].every((letter, index) => ((text[index] as number) | 0x20) === letter.charCodeAt(0))

function writeTextElement (text: Uint8Array, delimiter: number, out: ByteQueue): void {
  const quote = text.length === 0 || (text.length === 4 && isNullWord(text)) ||
    text.some((byte) => quoted[byte] === 1 || byte === delimiter)
  if (!quote) {
    writeCopyEscaped(text, 0, text.length, out)
    return
  }
  // A backslash for the array, which COPY doubles, and one for COPY
  out.reserve(text.length * 4 + 2)
  let length = out.length
  out.bytes[length++] = QUOTE
  for (const byte of text) {
    if (byte === QUOTE || byte === BACKSLASH) length = writeCopyByte(out.bytes, length, BACKSLASH)
    length = writeCopyByte(out.bytes, length, byte)
  }
  out.bytes[length++] = QUOTE
  out.length = length
}
