import type { ByteQueue } from './byte-queue.ts'
import type { EncodedColumn } from './column-encoding.ts'
import { createCopyToJson } from './copy-to-json.ts'
import { toWords } from './four-byte-words.ts'

/**
 * Transcodes the rows of tables from COPY text to JSON. Each row begins with a new line, and each but the first one of
 * a table with a comma before that.
 */
export interface RowsToJson {
  /** Rows since startTable() that are written. */
  readonly rows: number
  /** The rows that follow have these columns. */
  startTable: (columns: EncodedColumn[]) => void
  /**
   * Takes a line of COPY text, which may be written later, at the latest by flush(). Both throw if a line does not have
   * one field for each column.
   */
  takeRow: (bytes: Buffer, start: number, end: number, out: ByteQueue) => void
  /** Writes what takeRow() has taken. */
  flush: (out: ByteQueue) => void
}

const newLine = toWords('\n')
const commaNewLine = toWords(',\n')

/** For a Node.js without WebAssembly. */
export function createRowsToJson (): RowsToJson {
  let transcode = createCopyToJson([])
  let rows = 0
  return {
    get rows () { return rows },
    startTable (columns) {
      transcode = createCopyToJson(columns)
      rows = 0
    },
    takeRow (bytes, start, end, out) {
      out.appendWords(rows++ === 0 ? newLine : commaNewLine)
      transcode(bytes, start, end, out)
    },
    flush () {}
  }
}
