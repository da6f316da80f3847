import type { ManifestTable } from '../../types/index.ts'
import { SnapshotInvalid } from '../errors.ts'
import type { BinaryColumn } from './codec/binary-encoders.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { encodedColumn, type EncodedColumn } from './codec/column-encoding.ts'
import { Incomplete, SnapshotSyntaxError } from './codec/json-cursor.ts'
import { createJsonToCopy, type JsonToCopy } from './codec/json-to-copy.ts'
import { createRowsToBinary, type RowsToBinary } from './codec/rows-to-binary.ts'
import { createRowsToCopy, type RowsToCopy, type Stopped } from './codec/rows-to-copy.ts'
import type { Section } from './hash-sections.ts'
import { acceptSeparator } from './separator.ts'
import type { SnapshotInput } from './snapshot-input.ts'

/** Receives the rows of a table as COPY text, or as COPY BINARY. */
export interface RowTarget {
  /** Whether `write` receives this column of the file. The others are read and discarded. */
  keep: (column: EncodedColumn) => boolean
  /** The first rows are written as COPY BINARY, without its file header and trailer. `keep` is true for all columns. */
  binary?: {
    /** All columns, in the order of the manifest. */
    columns: BinaryColumn[]
    /**
     * Called before the first row that is refused, or before all rows if there is no WebAssembly. That row and all rows
     * after it are written as text.
     */
    continueAsText: () => Promise<void>
  }
  /** The memory of a piece is used again after `write` has resolved for the next piece. */
  write: (copyData: Buffer) => Promise<void>
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

/**
 * A table while it is read; `rows` is the number of those that are complete. `rowsToBinary` reads those that are
 * written as COPY BINARY. `rowsToCopy` reads the others, and `rowToCopy` each row that it refuses.
 */
interface TableReading {
  input: SnapshotInput
  queue: ByteQueue
  rowsToBinary: RowsToBinary | undefined
  rowsToCopy: RowsToCopy | undefined
  rowToCopy: JsonToCopy
  rows: number
  /** What had been read the last time that more of the file was needed and a row had been completed since. */
  reached: { rows: number, bytes: number }
}

/** Transcoders for reuse: V8 reserves several GB of addresses for each. */
const idle: RowsToCopy[] = []
const idleBinary: RowsToBinary[] = []

/**
 * Bytes of an incomplete row from which on it is read twice. Such a row needs memory of its own size. In one buffer
 * that grows, and with its output in the queue, it would need three times as much.
 */
const longRow = 1024 * 1024

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
  const queue = new ByteQueue()
  const rowsToCopy = idle.pop() ?? createRowsToCopy()
  const rowsToBinary = target.binary && (idleBinary.pop() ?? createRowsToBinary())
  const reading = startReading({ input, queue, rowsToCopy, rowsToBinary }, table, target)
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
    await readList(reading, target.binary, flush)
  } catch (error) {
    if (!(error instanceof SnapshotSyntaxError)) throw error
    throw new SnapshotInvalid(`table ${JSON.stringify(table.name)}, row ${reading.rows + 1}: ${error.message}`)
  }
  if (rowsToCopy !== undefined) idle.push(rowsToCopy)
  if (rowsToBinary !== undefined) idleBinary.push(rowsToBinary)
  await flush()
  const read = { table, rows: reading.rows, section: input.cut() }
  await target.end?.(read)
  return { read, before }
}

/** Leaves out the transcoders that cannot read such a table. */
function startReading (
  { input, queue, rowsToCopy, rowsToBinary }: Omit<TableReading, 'rowToCopy' | 'rows' | 'reached'>,
  table: ManifestTable,
  { keep, binary }: RowTarget
): TableReading {
  const columns = table.columns.map(encodedColumn).map((column) => ({ ...column, skip: !keep(column) }))
  return {
    input,
    queue,
    rowsToBinary: binary && rowsToBinary?.startTable(binary.columns, input.rowBytes) === true
      ? rowsToBinary
      : undefined,
    rowsToCopy: rowsToCopy?.startTable(columns, input.rowBytes) === true ? rowsToCopy : undefined,
    rowToCopy: createJsonToCopy(columns),
    rows: 0,
    reached: { rows: 0, bytes: input.bytes }
  }
}

async function readList (
  reading: TableReading, binary: RowTarget['binary'], flush: () => Promise<void>
): Promise<void> {
  const { input } = reading
  const { cursor } = input
  await input.parse(() => { cursor.expect(OPEN_BRACKET, 'a list of rows') })
  if (await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACKET) })) return
  if (binary !== undefined) {
    if (await readBinary(reading, flush) === 'end') return
    await flush()
    await binary.continueAsText()
  }
  for (let stopped = readBatch(reading); stopped !== 'end'; stopped = readBatch(reading)) {
    if (stopped === 'full') await flush()
    else if (await readMore(reading, flush) === 'end') return
  }
}

/** Reads rows until one is refused, or the list ends. */
async function readBinary (reading: TableReading, flush: () => Promise<void>): Promise<'end' | 'refused'> {
  const { input, queue, rowsToBinary } = reading
  if (rowsToBinary === undefined) return 'refused'
  while (true) {
    const stopped = rowsToBinary.take(input.cursor, queue)
    reading.rows += rowsToBinary.takeRows()
    if (stopped === 'end' || stopped === 'refused') return stopped
    await (stopped === 'full' ? flush() : input.fillRow())
  }
}

/** Reads more of the file, or the rest of a long row. Returns why it stopped there. */
async function readMore (reading: TableReading, flush: () => Promise<void>): Promise<Stopped> {
  const { input, rowsToCopy } = reading
  if (rowsToCopy !== undefined && rowsToCopy.carried > longRow) return await readLongRow(reading, rowsToCopy, flush)
  const isInRow = rowsToCopy !== undefined && rowsToCopy.carried > 0
  if (!isInRow) checkSpace(reading)
  await input.fillRow()
  return 'moreNeeded'
}

/**
 * Limits the white space between two rows to the length of a row: it is consumed as it arrives, and a small compressed
 * file can have terabytes of it.
 */
function checkSpace (reading: TableReading): void {
  const { input, rows, reached } = reading
  if (rows === reached.rows) input.checkRow(input.bytes - reached.bytes)
  else reading.reached = { rows, bytes: input.bytes }
}

/**
 * Reads to the end of an incomplete row and discards the output, and then reads it again and writes its output piece by
 * piece. So nothing is written of a row that is refused or not complete, although neither its output nor its bytes are
 * ever in one buffer.
 */
async function readLongRow (
  reading: TableReading, rowsToCopy: RowsToCopy, flush: () => Promise<void>
): Promise<Stopped> {
  const { input, queue } = reading
  const { cursor } = input
  input.keep()
  rowsToCopy.discardRow(queue)
  let stopped = rowsToCopy.readOn(cursor)
  while (stopped === 'moreNeeded') {
    await input.fillRow()
    stopped = rowsToCopy.readOn(cursor)
  }
  const bytes = input.rewind()
  if (stopped === 'refused') {
    await input.fillRow(bytes)
    return readOneByOne(reading)
  }
  rowsToCopy.takeRows()
  do {
    await (queue.full ? flush() : input.fillRow())
    stopped = rowsToCopy.readOn(cursor, queue)
  } while (stopped === 'full' || stopped === 'moreNeeded')
  // These are the bytes that were not refused before
  if (stopped === 'refused') throw new SnapshotSyntaxError('its bytes changed while they were read')
  reading.rows += rowsToCopy.takeRows()
  return stopped === 'end' ? 'end' : 'full'
}

/** Reads as many rows as are buffered, until the queue is full, so that not every row needs a promise. */
function readBatch (reading: TableReading): Exclude<Stopped, 'refused'> {
  const { input, queue, rowsToCopy } = reading
  if (rowsToCopy !== undefined) {
    const stopped = rowsToCopy.take(input.cursor, queue)
    reading.rows += rowsToCopy.takeRows()
    if (stopped !== 'refused') return stopped
  }
  return readOneByOne(reading)
}

function readOneByOne (reading: TableReading): Exclude<Stopped, 'refused'> {
  const { input, queue, rowToCopy } = reading
  const { cursor } = input
  while (!queue.full) {
    cursor.skipSpace()
    if (!input.mayContainRow()) return 'moreNeeded'
    const { position } = cursor
    const mark = queue.mark()
    if (!rowToCopy(cursor, queue)) return 'moreNeeded'
    input.checkRow(cursor.position - position)
    try {
      const more = acceptSeparator(cursor, CLOSE_BRACKET, 'the next row')
      reading.rows++
      if (!more) return 'end'
    } catch (error) {
      // The separator belongs to the row: read both again when the separator has arrived
      if (!(error instanceof Incomplete)) throw error
      cursor.position = position
      queue.reset(mark)
      return 'moreNeeded'
    }
  }
  return 'full'
}
