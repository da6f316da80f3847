import type { ByteQueue } from './byte-queue.ts'
import type { ElementEncoding } from './column-encoding.ts'
import type { JsonCursor } from './json-cursor.ts'
import { writeNumber } from './json-number-to-copy.ts'
import { readStringBytes, writeCopyByte } from './json-string-to-copy.ts'
import { wordOf, type WordView } from './four-byte-words.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

const stride = 16_384
const backslashes = wordOf(BACKSLASH)

/** Writes bytes as a COPY field with exactly these bytes as its value. */
export function writeCopyEscaped (input: WordView, start: number, end: number, out: ByteQueue): void {
  for (let position = start; position < end;) {
    const stop = Math.min(end, position + stride)
    out.reserve((stop - position) * 2)
    while (position < stop) {
      position = out.appendPlain(input, position, stop, backslashes, backslashes)
      if (position < stop) out.length = writeCopyByte(out.bytes, out.length, input.bytes[position++] as number)
    }
  }
}

/** Writes a scalar of a JSON array as array_out() writes it, so that COPY's text is restored byte for byte. */
export function writeArrayElement (
  cursor: JsonCursor,
  element: ElementEncoding,
  delimiter: number,
  out: ByteQueue
): void {
  const byte = cursor.peek()
  if (byte === 0x6e) {
    cursor.expectWord('null')
    out.append(nullElement)
  } else if (element === 'boolean') {
    cursor.expectWord(byte === 0x74 ? 'true' : 'false')
    out.append(byte === 0x74 ? trueElement : falseElement)
  } else if (element === 'number') {
    writeNumber(cursor, out)
  } else {
    writeTextElement(readStringBytes(cursor), delimiter, out)
  }
}

const nullElement = Buffer.from('NULL')
const trueElement = Buffer.from('t')
const falseElement = Buffer.from('f')

/**
 * array_out() quotes an element that is empty or NULL, or contains a brace, quote, backslash, delimiter or white space.
 */
const quoted = new Uint8Array(256)
for (const character of '{}"\\ \t\n\v\f\r') quoted[character.charCodeAt(0)] = 1

function needsQuotes (text: Uint8Array, delimiter: number): boolean {
  if (text.length === 0 || isNullWord(text)) return true
  for (let position = 0; position < text.length; position++) {
    const byte = text[position] as number
    if (quoted[byte] === 1 || byte === delimiter) return true
  }
  return false
}

/** NULL in upper or lower case, which array_in() reads as SQL NULL. */
const isNullWord = (text: Uint8Array): boolean =>
  text.length === 4 && nullWord.every((letter, index) => ((text[index] as number) | 0x20) === letter)
const nullWord = Buffer.from('null')

function writeTextElement (text: Uint8Array, delimiter: number, out: ByteQueue): void {
  if (!needsQuotes(text, delimiter)) {
    writeControls(text, out)
    return
  }
  out.appendByte(QUOTE)
  for (let position = 0; position < text.length; position++) {
    const byte = text[position] as number
    out.reserve(4)
    // The array's escape is a backslash, and COPY doubles it
    if (byte === QUOTE || byte === BACKSLASH) out.length = writeCopyByte(out.bytes, out.length, BACKSLASH)
    out.length = writeCopyByte(out.bytes, out.length, byte)
  }
  out.appendByte(QUOTE)
}

/** An element without quotes may still need COPY's escapes. */
function writeControls (text: Uint8Array, out: ByteQueue): void {
  for (let position = 0; position < text.length; position++) {
    out.reserve(2)
    out.length = writeCopyByte(out.bytes, out.length, text[position] as number)
  }
}
