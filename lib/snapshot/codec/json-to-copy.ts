import type { ByteQueue } from './byte-queue.ts'
import type { EncodedColumn } from './column-encoding.ts'
import { Incomplete, type JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { writeNull, writeValue } from './json-value-to-copy.ts'
import { toWords, type Words } from './four-byte-words.ts'

/**
 * A column of the file. The values of a column with `skip` are checked, since the file must be valid, and discarded.
 */
export interface TargetColumn extends EncodedColumn { skip: boolean }

/** `firstKey` is the key without the comma before it; `isLast`: no column that is kept follows. */
interface OrderedColumn extends TargetColumn { index: number, key: Words, firstKey: Words, isLast: boolean }

/** The columns of a table in the order of the manifest, and by their names. */
interface RowColumns { ordered: OrderedColumn[], byName: Map<string, OrderedColumn> }

/**
 * Reads the row at the cursor and writes it as a line of COPY text. Returns false when the bytes end before the row
 * does; cursor and queue are unchanged then. Throws SnapshotSyntaxError with the name of the column and never with a
 * value.
 */
export type JsonToCopy = (cursor: JsonCursor, out: ByteQueue) => boolean

const TAB = 0x09
const NEWLINE = 0x0a
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

export function createJsonToCopy (columns: TargetColumn[]): JsonToCopy {
  const { ordered, byName } = rowColumns(columns)

  return (cursor, out) => {
    const { position } = cursor
    const mark = out.mark()
    try {
      if (!tryCanonicalRow(cursor, ordered, out)) {
        cursor.position = position
        out.reset(mark)
        readAnyRow(cursor, { ordered, byName }, out)
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
}

function rowColumns (columns: TargetColumn[]): RowColumns {
  const lastKept = columns.findLastIndex(({ skip }) => !skip)
  const ordered = columns.map((column, index): OrderedColumn => {
    const key = `${JSON.stringify(column.name)}:`
    return { ...column, index, key: toWords(`,${key}`), firstKey: toWords(key), isLast: index >= lastKept }
  })
  return { ordered, byName: new Map(ordered.map((column) => [column.name, column])) }
}

/** A row in another formatting may be a syntax error here; readAnyRow() decides whether it really is. */
function tryCanonicalRow (cursor: JsonCursor, columns: OrderedColumn[], out: ByteQueue): boolean {
  try {
    return readCanonicalRow(cursor, columns, out)
  } catch (error) {
    if (error instanceof SnapshotSyntaxError) return false
    throw error
  }
}

/**
 * Reads a row as the writer formats it: keys in order, no white space. Returns false at the first byte that differs.
 */
function readCanonicalRow (cursor: JsonCursor, columns: OrderedColumn[], out: ByteQueue): boolean {
  if (!cursor.accept(OPEN_BRACE)) return false
  let isFirst = true
  for (const column of columns) {
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

/**
 * Reads a row in any formatting that JSON allows: finds the position of each value, then writes them in the table's
 * order.
 */
function readAnyRow (cursor: JsonCursor, columns: RowColumns, out: ByteQueue): void {
  const { starts, ends } = findValues(cursor, columns)
  const end = cursor.position
  for (const column of columns.ordered) {
    const start = starts[column.index] as number
    if (start !== -1) {
      cursor.position = start
      writeColumn(cursor, column, out)
      if (cursor.position !== ends[column.index]) throw columnError(column.name, 'its value is malformed')
    } else if (column.encoding === 'jsonb') {
      writeAbsent(column, out)
    } else {
      throw columnError(column.name, 'its key is absent')
    }
  }
  cursor.position = end
}

/**
 * Moves to the end of the row, and returns where the value of each column starts and ends; -1 for a column without one.
 */
function findValues (cursor: JsonCursor, { ordered, byName }: RowColumns): { starts: number[], ends: number[] } {
  const starts = new Array<number>(ordered.length).fill(-1)
  const ends = new Array<number>(ordered.length).fill(-1)
  cursor.skipSpace()
  cursor.expect(OPEN_BRACE, 'an object')
  cursor.skipSpace()
  for (let more = !cursor.accept(CLOSE_BRACE); more;) {
    const key = cursor.readKey()
    const index = byName.get(key)?.index
    // The message does not contain the key: where a byte is damaged, it may be one inside a jsonb value
    if (index === undefined) throw new SnapshotSyntaxError('a key is not a column of the table')
    if (starts[index] !== -1) throw columnError(key, 'the key appears twice')
    starts[index] = cursor.position
    cursor.skipValue()
    ends[index] = cursor.position
    cursor.skipSpace()
    more = cursor.accept(COMMA)
    if (!more) cursor.expect(CLOSE_BRACE, 'a comma or the end of the object')
  }
  return { starts, ends }
}

function writeAbsent ({ skip, isLast }: OrderedColumn, out: ByteQueue): void {
  if (skip) return
  writeNull(out)
  if (!isLast) out.appendByte(TAB)
}

function writeColumn (cursor: JsonCursor, column: OrderedColumn, out: ByteQueue): void {
  const mark = column.skip ? out.mark() : undefined
  try {
    writeValue(cursor, column, out)
  } catch (error) {
    if (error instanceof SnapshotSyntaxError) throw columnError(column.name, error.message)
    throw error
  }
  if (mark !== undefined) out.reset(mark)
  else if (!column.isLast) out.appendByte(TAB)
}

const columnError = (name: string, problem: string): SnapshotSyntaxError =>
  new SnapshotSyntaxError(`column ${JSON.stringify(name)}: ${problem}`)
