import type { ByteQueue } from './byte-queue.ts'
import { elementOf, type ElementEncoding, type EncodedColumn } from './column-encoding.ts'
import { Incomplete, type JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { writeNumber } from './json-number-to-copy.ts'
import { writeCopyByte, writeString } from './json-string-to-copy.ts'
import { writeArrayElement, writeCopyEscaped } from './array-element.ts'
import { toWords, type Words } from './four-byte-words.ts'

/** A column of the file; `skip`: it is read, since the file must be sound, but has no place to go to. */
export interface TargetColumn extends EncodedColumn { skip: boolean }

/** `firstKey` is the key without its comma; `isLast`: no column that is kept comes behind it. */
interface PlacedColumn extends TargetColumn { index: number, key: Words, firstKey: Words, isLast: boolean }

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
const LOWER_F = 0x66
const LOWER_N = 0x6e
const LOWER_T = 0x74
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const nullField = toWords('\\N')
/** PostgreSQL's MAXDIM. */
const deepestArray = 6

export function createJsonToCopy (columns: TargetColumn[]): JsonToCopy {
  const lastKept = columns.findLastIndex(({ skip }) => !skip)
  const placed = columns.map((column, index): PlacedColumn => {
    const key = `${JSON.stringify(column.name)}:`
    return { ...column, index, key: toWords(`,${key}`), firstKey: toWords(key), isLast: index >= lastKept }
  })
  const byName = new Map(placed.map((column) => [column.name, column]))

  return (cursor, out) => {
    const { position } = cursor
    const mark = out.mark()
    try {
      if (!tryCanonicalRow(cursor, out)) {
        cursor.position = position
        out.reset(mark)
        readAnyRow(cursor, out)
      }
      out.appendByte(NEWLINE)
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
    let isFirst = true
    for (const column of placed) {
      if (cursor.acceptWords(isFirst ? column.firstKey : column.key)) {
        isFirst = false
        writeColumn(cursor, column, out)
      } else if (column.encoding === 'jsonb') {
        writeAbsent(column, out)
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
      const index = byName.get(key)?.index
      // Which one is not said: the key of a jsonb value looks like it where a byte is damaged
      if (index === undefined) throw new SnapshotSyntaxError('a key is no column of the table')
      if (starts[index] !== -1) throw new SnapshotSyntaxError(`column ${JSON.stringify(key)}: the key appears twice`)
      starts[index] = cursor.position
      cursor.skipValue()
      ends[index] = cursor.position
      cursor.skipSpace()
      more = cursor.accept(COMMA)
      if (!more) cursor.expect(CLOSE_BRACE, 'a comma or the end of the object')
    }
    const end = cursor.position
    for (const column of placed) {
      const start = starts[column.index] as number
      if (start !== -1) {
        cursor.position = start
        writeColumn(cursor, column, out)
        if (cursor.position !== ends[column.index]) throw new SnapshotSyntaxError(`column ${JSON.stringify(column.name)}: its value is malformed`)
      } else if (column.encoding === 'jsonb') {
        writeAbsent(column, out)
      } else {
        throw new SnapshotSyntaxError(`column ${JSON.stringify(column.name)}: its key is absent`)
      }
    }
    cursor.position = end
  }

  function writeAbsent ({ skip, isLast }: PlacedColumn, out: ByteQueue): void {
    if (skip) return
    out.appendWords(nullField)
    if (!isLast) out.appendByte(TAB)
  }

  function writeColumn (cursor: JsonCursor, column: PlacedColumn, out: ByteQueue): void {
    const mark = column.skip ? out.mark() : undefined
    try {
      writeValue(cursor, column, out)
    } catch (error) {
      if (error instanceof SnapshotSyntaxError) error.message = `column ${JSON.stringify(column.name)}: ${error.message}`
      throw error
    }
    if (mark !== undefined) out.reset(mark)
    else if (!column.isLast) out.appendByte(TAB)
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
  out.appendWords(nullField)
}

function writeBoolean (cursor: JsonCursor, out: ByteQueue): void {
  const truth = cursor.peek() === LOWER_T
  cursor.expectWord(truth ? 'true' : 'false')
  out.appendByte(truth ? LOWER_T : LOWER_F)
}

/** A jsonb value of any depth: only what COPY would take for an escape or a delimiter is changed. The server judges the rest. */
function writeEmbedded (cursor: JsonCursor, out: ByteQueue): void {
  const start = cursor.position
  cursor.skipValue()
  writeCopyEscaped(cursor.source, start, cursor.position, out)
}

function writeArray (cursor: JsonCursor, element: ElementEncoding, delimiter: string, out: ByteQueue): void {
  const between = delimiter.charCodeAt(0)
  let depth = 0
  function open (): void {
    cursor.expect(OPEN_BRACKET, 'an array')
    if (++depth > deepestArray) throw new SnapshotSyntaxError('an array has more than 6 dimensions')
    out.appendByte(OPEN_BRACE)
    cursor.skipSpace()
  }
  open()
  while (depth > 0) {
    if (cursor.accept(CLOSE_BRACKET)) {
      out.appendByte(CLOSE_BRACE)
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
      writeDelimiter(between, out)
      cursor.skipSpace()
      if (cursor.peek() === CLOSE_BRACKET) throw new SnapshotSyntaxError('an array element was expected')
    } else if (cursor.peek() !== CLOSE_BRACKET) {
      throw new SnapshotSyntaxError('a comma or the end of the array was expected')
    }
  }
}

/** A type may have any byte for it, even a TAB. */
function writeDelimiter (delimiter: number, out: ByteQueue): void {
  out.reserve(2)
  out.length = writeCopyByte(out.bytes, out.length, delimiter)
}
