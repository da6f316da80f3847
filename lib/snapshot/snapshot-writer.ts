import type { Manifest } from '../../types/index.ts'
import { encodedColumn } from './codec/column-encoding.ts'
import { malformedLine } from './codec/copy-to-json.ts'
import { createMessagesToJson, type MessagesToJson } from './codec/messages-to-json.ts'
import { createRowsToJson } from './codec/rows-to-json.ts'
import {
  completeManifest, encodeHead, largestHead, type ManifestDraft, type TableDraft, textAfterRows, textBeforeRows
} from './file-format.ts'
import type { OpenSink } from '../pipeline/byte-sink.ts'
import { createDataWriter, type DataWriter } from './data-writer.ts'

export interface WrittenSnapshot {
  manifest: Manifest
  /** Of the JSON. */
  sizeBytes: number
  /** Of the file, which may be compressed. */
  storedBytes: number
  /** What the snapshot does not contain although a reader may expect it. */
  warnings?: string[]
  /** Tables of the schema that exist and were left out. */
  excludedTables?: string[]
}

export interface WrittenMessages {
  /** The position of the first byte that is not part of a row, or of a header that is incomplete. */
  position: number
  /** Rows that were completed. */
  rows: number
  /** As that of writeRow(). Rejects also if a row is malformed; what follows is then dropped. */
  written: Promise<void> | undefined
}

export interface MessageWriter {
  /** Writes messages that may begin and end anywhere in a row. */
  write: (bytes: Buffer, start: number, end: number) => WrittenMessages
  /** From now on, write() writes nothing. */
  drop: () => void
}

/** Writes one snapshot file, table by table. */
export interface SnapshotWriter {
  /** Bytes written so far. */
  readonly bytes: number
  /** Starts the next table; its rows follow. */
  startTable: (table: TableDraft) => void
  /**
   * Writes a line of COPY text, `bytes` from `start` to `end`. When it returns a promise, wait for it: the disk is
   * slower than the rows.
   */
  writeRow: (bytes: Buffer, start: number, end: number) => Promise<void> | undefined
  /** Writes the rows of CopyData messages. Undefined where WebAssembly, which this needs, is missing. */
  messages: MessageWriter | undefined
  /** Ends the table and returns its number of rows. */
  endTable: () => number
  /**
   * Completes and writes the manifest, syncs and closes the file, which is then complete. The tables of the manifest
   * are those that were written, in that order.
   */
  finish: (manifest: ManifestDraft) => Promise<WrittenSnapshot>
  /** Closes and deletes the file. May be called at any time, and more than once. */
  discard: () => Promise<void>
}

/**
 * Opens the spool file of a snapshot. `manifest` must already contain all tables and sequences, since its size decides
 * where the data part begins. Rejects with FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function openSnapshotWriter (openSink: OpenSink, manifest: ManifestDraft): Promise<SnapshotWriter> {
  const headSize = largestHead(manifest)
  const sink = await openSink(headSize)
  const data = createDataWriter(sink, headSize)
  const { queue } = data
  const messagesToJson = createMessagesToJson()
  const transcoder = messagesToJson ?? createRowsToJson()
  let tables = 0
  const write = (text: string): void => { queue.append(Buffer.from(text)) }

  return {
    get bytes () { return data.position },
    startTable (table) {
      write(textBeforeRows(table, tables++))
      data.cut()
      write('[')
      transcoder.startTable(table.columns.map(encodedColumn))
    },
    writeRow (bytes, start, end) {
      transcoder.takeRow(bytes, start, end, queue)
      return queue.full ? data.startFlush() : undefined
    },
    messages: messagesToJson && createMessageWriter(messagesToJson, data),
    endTable () {
      transcoder.flush(queue)
      write('\n]')
      data.cut()
      return transcoder.rows
    },
    async finish (draft) {
      write(textAfterRows(draft))
      const completed = completeManifest(draft, await data.finish())
      await sink.finish(encodeHead(completed, headSize))
      return { manifest: completed, sizeBytes: data.position, storedBytes: sink.storedBytes }
    },
    async discard () {
      await data.idle()
      await sink.discard()
    }
  }
}

function createMessageWriter (transcoder: MessagesToJson, data: DataWriter): MessageWriter {
  let isDropping = false
  /** See WrittenMessages. */
  function written (): Promise<void> | undefined {
    if (isDropping) return undefined
    if (transcoder.isMalformed) return Promise.reject(malformedLine())
    return data.queue.full ? data.startFlush() : undefined
  }
  return {
    write (bytes, start, end) {
      const before = transcoder.rows
      const position = transcoder.takeMessages(bytes, start, end, data.queue)
      return { position, rows: transcoder.rows - before, written: written() }
    },
    drop () {
      isDropping = true
      transcoder.dropRows()
    }
  }
}
