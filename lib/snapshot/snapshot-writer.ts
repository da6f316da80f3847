import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Manifest, ManifestTable } from '../../types/index.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { encodedColumn } from './codec/column-encoding.ts'
import { createCopyToJson } from './codec/copy-to-json.ts'
import { encodeHead, fileEnd, largestManifest } from './file-format.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from '../storage/spool-file.ts'
import { toWords } from './codec/four-byte-words.ts'

export interface WrittenSnapshot {
  manifest: Manifest
  sizeBytes: number
  /** `sha256:…` of the whole file. */
  checksum: string
  /** What the snapshot does not hold and a reader might expect. */
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
  /** Takes a line of COPY text, `bytes` from `start` to `end`. A promise says that the disk is behind: wait for it. */
  writeRow: (bytes: Buffer, start: number, end: number) => Promise<void> | undefined
  /** Ends the table and gives its number of rows. */
  endTable: () => number
  /** Writes the manifest, fsyncs and closes. Afterwards the file is whole. */
  finish: (manifest: Omit<Manifest, 'checksum'>) => Promise<WrittenSnapshot>
  /** Closes and deletes the file; fine at any time, also twice. */
  discard: () => Promise<void>
}

/**
 * Opens the spool file of a snapshot. `manifest` must name all tables and sequences already, since its
 * size decides where the data begin. Rejects with FST_BACKUP_STORAGE_FAILED or _FULL.
 */
export async function openSnapshotWriter (path: string, manifest: Omit<Manifest, 'checksum'>): Promise<SnapshotWriter> {
  const headSize = encodeHead(largestManifest({ ...manifest, checksum: '' })).length
  const file = await createSpoolFile(path)
  const queue = new ByteQueue()
  const dataHash = createHash('sha256')
  let position = headSize
  let transcode = createCopyToJson([])
  let rows = 0
  let firstTable = true

  /** The piece that is being written, while the next one fills. */
  let writing: Promise<void> | undefined

  async function flush (): Promise<void> {
    const pieces = queue.take()
    for (const piece of pieces) dataHash.update(piece)
    await onStorage('write the snapshot', async () => {
      for (const piece of pieces) position += await writeAll(file, piece, position)
    })
    queue.giveBack(pieces)
  }

  /** Nothing else is written before it has succeeded: after a failure, the rejected promise stays. */
  function startFlush (): void {
    writing = flush().then(() => { writing = undefined })
    // Whoever writes next is told
    writing.catch(() => {})
  }

  const write = (text: string): void => { queue.append(Buffer.from(text)) }

  write('{\n')
  return {
    get bytes () { return position },
    startTable ({ name, columns }) {
      write(`${firstTable ? '' : ',\n'}${JSON.stringify(name)}:[`)
      transcode = createCopyToJson(columns.map(encodedColumn))
      firstTable = false
      rows = 0
    },
    writeRow (bytes, start, end) {
      queue.appendWords(rows++ === 0 ? newLine : commaNewLine)
      transcode(bytes, start, end, queue)
      if (!queue.full) return undefined
      if (writing !== undefined) return writing
      startFlush()
      return undefined
    },
    endTable () {
      write('\n]')
      return rows
    },
    async finish (counted) {
      write('\n}')
      await writing
      await flush()
      const complete = { ...counted, checksum: `sha256:${dataHash.digest('hex')}` }
      const head = encodeHead(complete, headSize)
      return await onStorage('finish the snapshot', async () => {
        position += await writeAll(file, Buffer.from(fileEnd), position)
        await writeAll(file, head, 0)
        // While the disk works, there is time to read
        const [checksum] = await Promise.all([fileChecksum(file), file.sync()])
        await file.close()
        return { manifest: complete, sizeBytes: position, checksum }
      })
    },
    async discard () {
      await writing?.catch(() => {})
      await discardSpoolFile(file, path)
    }
  }
}

/** Bytes. */
const readSize = 512 * 1024

const newLine = toWords('\n')
const commaNewLine = toWords(',\n')

/**
 * Of the whole file, read back: the manifest comes first in it and was written last. What it reads is still in the page cache. While one half
 * of the buffer is hashed, the other one is read into.
 */
async function fileChecksum (file: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  let [current, next] = [Buffer.allocUnsafeSlow(readSize), Buffer.allocUnsafeSlow(readSize)]
  let position = 0
  let reading = file.read(current, 0, readSize, position)
  for (;;) {
    const { bytesRead } = await reading
    if (bytesRead === 0) return `sha256:${hash.digest('hex')}`
    position += bytesRead
    reading = file.read(next, 0, readSize, position)
    hash.update(current.subarray(0, bytesRead));
    [current, next] = [next, current]
  }
}
