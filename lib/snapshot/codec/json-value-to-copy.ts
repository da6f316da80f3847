import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type ElementEncoding, type EncodedColumn } from './column-encoding.ts'
import { type JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { writeNumber } from './json-number-to-copy.ts'
import { writeCopyByte, writeString } from './json-string-to-copy.ts'
import { writeArrayElement, writeCopyEscaped } from './array-element.ts'
import { toWords } from './four-byte-words.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const LOWER_F = 0x66
const LOWER_N = 0x6e
const LOWER_T = 0x74
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const nullField = toWords('\\N')
/** PostgreSQL's MAXDIM. */
const deepestArray = 6

/** Reads the value of a column at the cursor and writes it as a COPY field. */
export function writeValue (cursor: JsonCursor, { encoding, delimiter }: EncodedColumn, out: ByteQueue): void {
  const byte = cursor.peek()
  if (encoding === 'jsonb') {
    writeEmbedded(cursor, out)
  } else if (byte === LOWER_N) {
    cursor.expectWord('null')
    out.appendWords(nullField)
  } else if (encoding === 'text') writeString(cursor, out)
  else if (encoding === 'number') writeNumber(cursor, out)
  else if (encoding === 'boolean') writeBoolean(cursor, out)
  else if (byte === QUOTE) writeString(cursor, out)
  else writeArray(cursor, elementOf(encoding), delimiter, out)
}

export function writeNull (out: ByteQueue): void {
  out.appendWords(nullField)
}

function writeBoolean (cursor: JsonCursor, out: ByteQueue): void {
  const truth = cursor.peek() === LOWER_T
  cursor.expectWord(truth ? 'true' : 'false')
  out.appendByte(truth ? LOWER_T : LOWER_F)
}

/**
 * Copies a jsonb value of any depth, and escapes only what COPY would read as an escape or a delimiter. The server
 * checks the value.
 */
function writeEmbedded (cursor: JsonCursor, out: ByteQueue): void {
  const start = cursor.position
  cursor.skipValue()
  writeCopyEscaped(cursor.wordView, start, cursor.position, out)
}

function writeArray (cursor: JsonCursor, element: ElementEncoding, delimiter: string, out: ByteQueue): void {
  const delimiterByte = delimiter.charCodeAt(0)
  let depth = 0
  openArray(cursor, ++depth, out)
  while (depth > 0) {
    if (cursor.accept(CLOSE_BRACKET)) {
      out.appendByte(CLOSE_BRACE)
      depth--
    } else if (cursor.peek() === OPEN_BRACKET) {
      openArray(cursor, ++depth, out)
      continue
    } else {
      writeArrayElement(cursor, element, delimiterByte, out)
    }
    if (depth === 0) return
    cursor.skipSpace()
    if (cursor.accept(COMMA)) {
      writeDelimiter(delimiterByte, out)
      cursor.skipSpace()
      if (cursor.peek() === CLOSE_BRACKET) throw new SnapshotSyntaxError('an array element was expected')
    } else if (cursor.peek() !== CLOSE_BRACKET) {
      throw new SnapshotSyntaxError('a comma or the end of the array was expected')
    }
  }
}

function openArray (cursor: JsonCursor, depth: number, out: ByteQueue): void {
  cursor.expect(OPEN_BRACKET, 'an array')
  if (depth > deepestArray) throw new SnapshotSyntaxError('an array has more than 6 dimensions')
  out.appendByte(OPEN_BRACE)
  cursor.skipSpace()
}

/** The delimiter of a type may be any byte, even a TAB. */
function writeDelimiter (delimiter: number, out: ByteQueue): void {
  out.reserve(2)
  out.length = writeCopyByte(out.bytes, out.length, delimiter)
}
