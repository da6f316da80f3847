import type { FileHandle } from 'node:fs/promises'
import type { Manifest, ManifestTable } from '../../types/index.ts'
import { encodedColumn } from './codec/column-encoding.ts'
import { createCopyToJson } from './codec/copy-to-json.ts'
import { encodeHead, fileEnd, largestManifest } from './file-format.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from '../storage/spool-file.ts'
import { toWords } from './codec/four-byte-words.ts'
import { createDataWriter } from './data-writer.ts'
import { fileChecksum } from './file-checksum.ts'

export interface WrittenSnapshot {
  manifest: Manifest
  sizeBytes: number
  /** `sha256:…` of the complete file. */
  checksum: string
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
  startTable: (table: ManifestTable) => void
  /**
   * Writes a line of COPY text, `bytes` from `start` to `end`. When it returns a promise, wait for it: the disk is
   * slower than the rows.
   */
  writeRow: (bytes: Buffer, start: number, end: number) => Promise<void> | undefined
  /** Ends the table and returns its number of rows. */
  endTable: () => number
  /** Writes the manifest, syncs and closes the file, which is then complete. */
  finish: (manifest: Omit<Manifest, 'checksum'>) => Promise<WrittenSnapshot>
  /** Closes and deletes the file. May be called at any time, and more than once. */
  discard: () => Promise<void>
}

const newLine = toWords('\n')
const commaNewLine = toWords(',\n')

/**
 * Opens the spool file of a snapshot. `manifest` must already contain all tables and sequences, since its size decides
 * where the data part begins. Rejects with FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function openSnapshotWriter (path: string, manifest: Omit<Manifest, 'checksum'>): Promise<SnapshotWriter> {
  const headSize = encodeHead(largestManifest({ ...manifest, checksum: '' })).length
  const file = await createSpoolFile(path)
  const data = createDataWriter(file, headSize)
  const { queue } = data
  let transcode = createCopyToJson([])
  let rows = 0
  let tables = 0
  let endBytes = 0
  const write = (text: string): void => { queue.append(Buffer.from(text)) }

  write('{\n')
  return {
    get bytes () { return data.position + endBytes },
    startTable ({ name, columns }) {
      write(`${tables++ === 0 ? '' : ',\n'}${JSON.stringify(name)}:[`)
      transcode = createCopyToJson(columns.map(encodedColumn))
      rows = 0
    },
    writeRow (bytes, start, end) {
      queue.appendWords(rows++ === 0 ? newLine : commaNewLine)
      transcode(bytes, start, end, queue)
      return queue.full ? data.startFlush() : undefined
    },
    endTable () {
      write('\n]')
      return rows
    },
    async finish (counted) {
      write('\n}')
      const manifest = { ...counted, checksum: await data.finish() }
      const written = await finishFile(file, manifest, headSize, data.position)
      endBytes = fileEnd.length
      return written
    },
    async discard () {
      await data.idle()
      await discardSpoolFile(file, path)
    }
  }
}

/** @param end position after the data part */
async function finishFile (
  file: FileHandle,
  manifest: Manifest,
  headSize: number,
  end: number
): Promise<WrittenSnapshot> {
  return await onStorage('finish the snapshot', async () => {
    const sizeBytes = end + await writeAll(file, Buffer.from(fileEnd), end)
    await writeAll(file, encodeHead(manifest, headSize), 0)
    // The file is read while the disk syncs
    const [checksum] = await Promise.all([fileChecksum(file), file.sync()])
    await file.close()
    return { manifest, sizeBytes, checksum }
  })
}
