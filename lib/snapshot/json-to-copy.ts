import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type ElementEncoding, type EncodedColumn } from './column-encoding.ts'
import { Incomplete, JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { createStringToCopy, readStringBytes } from './json-string-to-copy.ts'
import { writeArrayElement, writeCopyEscaped } from './array-element.ts'

/** A column of the file; `skip`: it is read, since the file must be sound, but has no place to go to. */
export interface TargetColumn extends EncodedColumn { skip: boolean }

/**
 * Reads the row at the cursor and writes it as a line of COPY text. False, with cursor and queue as they were, when the bytes end
 * before the row does. Throws SnapshotSyntaxError, which names the column and never a value.
 */
export type JsonToCopy = (cursor: JsonCursor, out: ByteQueue) => boolean

const TAB = 0x09
const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const LOWER_N = 0x6e
const LOWER_T = 0x74
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const nullField = Buffer.from('\\N')
const nonFinite = ['NaN', 'Infinity', '-Infinity'].map((word) => Buffer.from(word))
/** PostgreSQL's MAXDIM. */
const deepestArray = 6

export function createJsonToCopy (columns: TargetColumn[]): JsonToCopy {
  const keys = columns.map(({ name }, index) => Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(name)}:`))
  const indexes = new Map(columns.map(({ name }, index) => [name, index]))
  const lastKept = columns.findLastIndex(({ skip }) => !skip)
  const writeString = createStringToCopy()

  return (cursor, out) => {
    const { position } = cursor
    const mark = out.mark()
    try {
      if (!tryCanonicalRow(cursor, out)) {
        cursor.position = position
        out.reset(mark)
        readAnyRow(cursor, out)
      }
      out.reserve(1)
      out.bytes[out.length++] = NEWLINE
      return true
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error
      cursor.position = position
      out.reset(mark)
      return false
    }
  }

  /** A row that is spelt in another way may look wrong here; whether it is, readAnyRow() says. */
  function tryCanonicalRow (cursor: JsonCursor, out: ByteQueue): boolean {
    try {
      return readCanonicalRow(cursor, out)
    } catch (error) {
      if (error instanceof SnapshotSyntaxError) return false
      throw error
    }
  }

  /** As the writer spells it: keys in order, no white space. False at the first byte that says otherwise. */
  function readCanonicalRow (cursor: JsonCursor, out: ByteQueue): boolean {
    if (!cursor.accept(OPEN_BRACE)) return false
    let first = true
    for (const [index, column] of columns.entries()) {
      const key = keys[index] as Buffer
      // The first key that is present has no comma, whichever it is
      const matches = first && index > 0 ? cursor.acceptBytes(key.subarray(1)) : cursor.acceptBytes(key)
      if (matches) {
        first = false
        writeColumn(cursor, column, index, out)
      } else if (column.encoding === 'jsonb') {
        writeAbsent(column, index, out)
      } else {
        return false
      }
    }
    return cursor.accept(CLOSE_BRACE)
  }

  /** Any spelling that JSON allows: where each value stands is found first, then they are written in the table's order. */
  function readAnyRow (cursor: JsonCursor, out: ByteQueue): void {
    const starts = new Array<number>(columns.length).fill(-1)
    const ends = new Array<number>(columns.length).fill(-1)
    cursor.skipSpace()
    cursor.expect(OPEN_BRACE, 'an object')
    cursor.skipSpace()
    for (let more = !cursor.accept(CLOSE_BRACE); more;) {
      const key = cursor.readKey()
      const index = indexes.get(key)
      if (index === undefined) throw new SnapshotSyntaxError(`the key ${JSON.stringify(key.slice(0, 63))} is no column of the table`)
      if (starts[index] !== -1) throw new SnapshotSyntaxError(`column ${JSON.stringify(key)}: the key appears twice`)
      starts[index] = cursor.position
      cursor.skipValue()
      ends[index] = cursor.position
      cursor.skipSpace()
      more = cursor.accept(COMMA)
      if (!more) cursor.expect(CLOSE_BRACE, 'a comma or the end of the object')
    }
    const end = cursor.position
    for (const [index, column] of columns.entries()) {
      const start = starts[index] as number
      if (start !== -1) {
        cursor.position = start
        writeColumn(cursor, column, index, out)
        if (cursor.position !== ends[index]) throw new SnapshotSyntaxError(`column ${JSON.stringify(column.name)}: its value is malformed`)
      } else if (column.encoding === 'jsonb') {
        writeAbsent(column, index, out)
      } else {
        throw new SnapshotSyntaxError(`column ${JSON.stringify(column.name)}: its key is absent`)
      }
    }
    cursor.position = end
  }

  function writeAbsent (column: TargetColumn, index: number, out: ByteQueue): void {
    if (column.skip) return
    out.append(nullField)
    writeDelimiter(index, out)
  }

  function writeColumn (cursor: JsonCursor, column: TargetColumn, index: number, out: ByteQueue): void {
    const mark = column.skip ? out.mark() : undefined
    try {
      writeValue(cursor, column, out)
    } catch (error) {
      if (error instanceof SnapshotSyntaxError) error.message = `column ${JSON.stringify(column.name)}: ${error.message}`
      throw error
    }
    if (mark === undefined) writeDelimiter(index, out)
    else out.reset(mark)
  }

  function writeDelimiter (index: number, out: ByteQueue): void {
    if (index >= lastKept) return
    out.reserve(1)
    out.bytes[out.length++] = TAB
  }

  function writeValue (cursor: JsonCursor, { encoding, delimiter }: TargetColumn, out: ByteQueue): void {
    const byte = cursor.peek()
    if (encoding === 'jsonb') writeEmbedded(cursor, out)
    else if (byte === LOWER_N) writeNull(cursor, out)
    else if (encoding === 'text') writeString(cursor, out)
    else if (encoding === 'number') writeNumber(cursor, out)
    else if (encoding === 'boolean') writeBoolean(cursor, out)
    else if (byte === QUOTE) writeString(cursor, out)
    else writeArray(cursor, elementOf(encoding), delimiter, out)
  }
}

function writeNull (cursor: JsonCursor, out: ByteQueue): void {
  cursor.expectWord('null')
  out.append(nullField)
}

function writeBoolean (cursor: JsonCursor, out: ByteQueue): void {
  const truth = cursor.peek() === LOWER_T
  cursor.expectWord(truth ? 'true' : 'false')
  out.reserve(1)
  out.bytes[out.length++] = truth ? LOWER_T : 0x66
}

/** The digits as they stand; or NaN and the infinities, which are strings. */
function writeNumber (cursor: JsonCursor, out: ByteQueue): void {
  const token = cursor.peek() === QUOTE ? readNonFinite(cursor) : cursor.readNumber()
  out.append(token)
}

function readNonFinite (cursor: JsonCursor): Uint8Array {
  const text = readStringBytes(cursor)
  if (!nonFinite.some((word) => word.equals(text))) throw new SnapshotSyntaxError('a number was expected')
  return text
}

/** A jsonb value of any depth: only what COPY would take for an escape or a delimiter is changed. The server judges the rest. */
function writeEmbedded (cursor: JsonCursor, out: ByteQueue): void {
  const start = cursor.position
  cursor.skipValue()
  writeCopyEscaped(cursor.bytes, start, cursor.position, out)
}

function writeArray (cursor: JsonCursor, element: ElementEncoding, delimiter: string, out: ByteQueue): void {
  const between = delimiter.charCodeAt(0)
  let depth = 0
  function put (byte: number): void {
    out.reserve(1)
    out.bytes[out.length++] = byte
  }
  function open (): void {
    cursor.expect(OPEN_BRACKET, 'an array')
    if (++depth > deepestArray) throw new SnapshotSyntaxError('an array has more than 6 dimensions')
    put(OPEN_BRACE)
    cursor.skipSpace()
  }
  open()
  while (depth > 0) {
    if (cursor.accept(CLOSE_BRACKET)) {
      put(CLOSE_BRACE)
      depth--
    } else if (cursor.peek() === OPEN_BRACKET) {
      open()
      continue
    } else {
      writeArrayElement(cursor, element, between, out)
    }
    if (depth === 0) return
    cursor.skipSpace()
    if (cursor.accept(COMMA)) {
      put(between)
      cursor.skipSpace()
      if (cursor.peek() === CLOSE_BRACKET) throw new SnapshotSyntaxError('an array element was expected')
    } else if (cursor.peek() !== CLOSE_BRACKET) {
      throw new SnapshotSyntaxError('a comma or the end of the array was expected')
    }
  }
}
