import type { Readable } from 'node:stream'
import type { ByteRange, ManifestTable } from '../../types/index.ts'
import { SnapshotInvalid } from '../errors.ts'
import { isOwnError } from '../own-error.ts'
import { readRows, type ReadTable, type RowTarget } from './read-rows.ts'
import { SnapshotInput, unlimited } from './snapshot-input.ts'
import { type OnRows, withPublicErrors } from './snapshot-reader.ts'

/**
 * Bytes between two tables that are read and discarded, at most. A storage that is reached over a network needs about
 * as long for another request.
 */
const largestGap = 1024 * 1024

/**
 * Reads only these tables, in the order of the file, from where the manifest says that they are. The caller compares
 * their sections: only the syntax is checked here.
 * @throws FST_BACKUP_SNAPSHOT_INVALID
 */
export async function readSelectedTables (
  open: (range: ByteRange) => Promise<Readable>,
  tables: ManifestTable[],
  openTable: (table: ManifestTable) => Promise<RowTarget>,
  onRows: OnRows
): Promise<ReadTable[]> {
  const read: ReadTable[] = []
  for (const span of spansOf(tables)) {
    const [{ offset: start }] = span
    const stream = await open({ start, end: endOf(span) - 1 }).catch((error: unknown) => {
      throw isOwnError(error, 'RANGE_INVALID') ? new SnapshotInvalid('the file is truncated') : error
    })
    try {
      const input = new SnapshotInput(stream, unlimited, start)
      for (const table of span) {
        await withPublicErrors(async () => { await input.skipTo(table.offset) })
        input.cut()
        read.push((await readRows(input, table, await openTable(table), onRows)).read)
      }
    } finally {
      stream.destroy()
    }
  }
  return read
}

type Span = [ManifestTable, ...ManifestTable[]]

/** Groups of tables, each of which one stream reads. */
function spansOf (tables: ManifestTable[]): Span[] {
  const spans: Span[] = []
  for (const table of tables.toSorted((a, b) => a.offset - b.offset)) {
    const last = spans.at(-1)
    const gap = last === undefined ? -1 : table.offset - endOf(last)
    if (last !== undefined && gap >= 0 && gap <= largestGap) last.push(table)
    else spans.push([table])
  }
  return spans
}

function endOf (span: Span): number {
  const { offset, bytes } = span.at(-1) as ManifestTable
  return offset + bytes
}
