import type { ManifestTable } from '../../types/index.ts'
import { SnapshotInvalid } from '../errors.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { encodedColumn, type EncodedColumn } from './codec/column-encoding.ts'
import { Incomplete, SnapshotSyntaxError } from './codec/json-cursor.ts'
import { createJsonToCopy, type JsonToCopy } from './codec/json-to-copy.ts'
import type { Section } from './hash-sections.ts'
import { acceptSeparator } from './separator.ts'
import type { SnapshotInput } from './snapshot-input.ts'

/** Receives the rows of a table as COPY text. */
export interface RowTarget {
  /** Whether `write` receives this column of the file. The others are read and discarded. */
  keep: (column: EncodedColumn) => boolean
  /** The memory of a piece is used again after `write` has resolved for the next piece. */
  write: (copyText: Buffer) => Promise<void>
  /** Called after the last row. */
  end?: (read: ReadTable) => Promise<void>
}

/** What a file contains of a table. */
export interface ReadTable {
  /** From the manifest. */
  table: ManifestTable
  rows: number
  /** The list of the rows, with both brackets. */
  section: Section
}

/** A table while it is read; `rows` is the number of those that are complete. */
interface TableReading { input: SnapshotInput, queue: ByteQueue, transcode: JsonToCopy, rows: number }

const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/**
 * Reads the list of a table's rows and writes them to `target`. Calls `onRows` after each piece. Before the list, white
 * space is skipped, which belongs to the section `before`.
 */
export async function readRows (
  input: SnapshotInput,
  table: ManifestTable,
  target: RowTarget,
  onRows?: (table: string, rows: number, bytes: number) => void
): Promise<{ read: ReadTable, before: Section }> {
  const columns = table.columns.map(encodedColumn).map((column) => ({ ...column, skip: !target.keep(column) }))
  const queue = new ByteQueue()
  const reading: TableReading = { input, queue, transcode: createJsonToCopy(columns), rows: 0 }
  let written: Buffer[] = []

  async function flush (): Promise<void> {
    for (const piece of queue.take()) {
      await target.write(piece)
      queue.giveBack(written)
      written = [piece]
    }
    onRows?.(table.name, reading.rows, input.bytes)
  }

  let before: Section
  try {
    await input.parse(() => { input.cursor.skipSpace(); input.cursor.peek() })
    before = input.cut()
    await readList(reading, flush)
  } catch (error) {
    if (!(error instanceof SnapshotSyntaxError)) throw error
    throw new SnapshotInvalid(`table ${JSON.stringify(table.name)}, row ${reading.rows + 1}: ${error.message}`)
  }
  await flush()
  const read = { table, rows: reading.rows, section: input.cut() }
  await target.end?.(read)
  return { read, before }
}

async function readList (reading: TableReading, flush: () => Promise<void>): Promise<void> {
  const { input, queue } = reading
  const { cursor } = input
  await input.parse(() => { cursor.expect(OPEN_BRACKET, 'a list of rows') })
  let more = !await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACKET) })
  while (more) {
    // As many rows as are buffered, so that not every row needs a promise
    more = readBatch(reading)
    if (queue.full) await flush()
    else if (more) await input.fillRow()
  }
}

/** Reads rows until the bytes end or the queue is full. Returns false at the end of the list. */
function readBatch (reading: TableReading): boolean {
  const { input, queue, transcode } = reading
  const { cursor } = input
  while (!queue.full) {
    cursor.skipSpace()
    if (!input.mayContainRow()) return true
    const { position } = cursor
    const mark = queue.mark()
    if (!transcode(cursor, queue)) return true
    input.checkRow(cursor.position - position)
    try {
      const more = acceptSeparator(cursor, CLOSE_BRACKET, 'the next row')
      reading.rows++
      if (!more) return false
    } catch (error) {
      // The separator belongs to the row: read both again when the separator has arrived
      if (!(error instanceof Incomplete)) throw error
      cursor.position = position
      queue.reset(mark)
      return true
    }
  }
  return true
}
