import type { FileHandle } from 'node:fs/promises'
import type { Manifest } from '../../types/index.ts'
import { encodedColumn } from './codec/column-encoding.ts'
import { createCopyToJson } from './codec/copy-to-json.ts'
import {
  completeManifest, encodeHead, largestHead, type ManifestDraft, type TableDraft, textAfterRows, textBeforeRows
} from './file-format.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from '../storage/spool-file.ts'
import { toWords } from './codec/four-byte-words.ts'
import { createDataWriter } from './data-writer.ts'

export interface WrittenSnapshot {
  manifest: Manifest
  sizeBytes: number
  /** What the snapshot does not contain although a reader may expect it. */
  warnings?: string[]
  /** Tables of the schema that exist and were left out. */
  excludedTables?: string[]
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

const newLine = toWords('\n')
const commaNewLine = toWords(',\n')

/**
 * Opens the spool file of a snapshot. `manifest` must already contain all tables and sequences, since its size decides
 * where the data part begins. Rejects with FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function openSnapshotWriter (path: string, manifest: ManifestDraft): Promise<SnapshotWriter> {
  const headSize = largestHead(manifest)
  const file = await createSpoolFile(path)
  const data = createDataWriter(file, headSize)
  const { queue } = data
  let transcode = createCopyToJson([])
  let rows = 0
  let tables = 0
  const write = (text: string): void => { queue.append(Buffer.from(text)) }

  return {
    get bytes () { return data.position },
    startTable (table) {
      write(textBeforeRows(table, tables++))
      data.cut()
      write('[')
      transcode = createCopyToJson(table.columns.map(encodedColumn))
      rows = 0
    },
    writeRow (bytes, start, end) {
      queue.appendWords(rows++ === 0 ? newLine : commaNewLine)
      transcode(bytes, start, end, queue)
      return queue.full ? data.startFlush() : undefined
    },
    endTable () {
      write('\n]')
      data.cut()
      return rows
    },
    async finish (draft) {
      write(textAfterRows(draft))
      const completed = completeManifest(draft, await data.finish())
      await finishFile(file, encodeHead(completed, headSize))
      return { manifest: completed, sizeBytes: data.position }
    },
    async discard () {
      await data.idle()
      await discardSpoolFile(file, path)
    }
  }
}

async function finishFile (file: FileHandle, head: Buffer): Promise<void> {
  await onStorage('finish the snapshot', async () => {
    await writeAll(file, head, 0)
    await file.sync()
    await file.close()
  })
}
