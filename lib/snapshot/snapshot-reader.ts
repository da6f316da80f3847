import { isUtf8 } from 'node:buffer'
import type { Manifest, ManifestTable } from '../../types/index.ts'
import { LimitExceeded, SnapshotInvalid } from '../errors.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { encodedColumn, type EncodedColumn } from './codec/column-encoding.ts'
import { parseManifest } from './parse-manifest.ts'
import { Incomplete, JsonCursor, SnapshotSyntaxError } from './codec/json-cursor.ts'
import { createJsonToCopy, type TargetColumn } from './codec/json-to-copy.ts'
import { createSnapshotInput, type ReadLimits, unlimited } from './snapshot-input.ts'

/** Where the rows of a table go, as COPY text. */
export interface RowTarget {
  /** Which of the file's columns are wanted; the others are read and dropped. */
  keep: (column: EncodedColumn) => boolean
  /** The memory is used again when the one after it has been taken. */
  write: (copyText: Buffer) => Promise<void>
}

export interface ReadSnapshot {
  manifest: Manifest
  /** Those of the manifest, as the data hold them, each with the number of its rows. */
  tables: Array<{ table: ManifestTable, rows: number }>
  /** `sha256:…` of the whole file, and of its data part. */
  checksum: string
  dataChecksum: string
  sizeBytes: number
}

const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * Reads a snapshot from its first byte to its last, once, whatever its formatting, with memory for one row and no more. `open` is called for
 * each table with the manifest at hand, and says where its rows go. Throws FST_BACKUP_SNAPSHOT_INVALID for anything that
 * is no snapshot, with table and row number, and never a value.
 *
 * Whether checksums and counts are the right ones is for the caller to compare.
 */
export async function readSnapshot (source: AsyncIterable<Buffer>, open: (table: ManifestTable, manifest: Manifest) => Promise<RowTarget>, onProgress?: (table: string, rows: number, bytes: number) => void, limits: ReadLimits = unlimited): Promise<ReadSnapshot> {
  const input = createSnapshotInput(source, limits)
  const { cursor } = input
  return await withPublicErrors(read)

  async function read (): Promise<ReadSnapshot> {
    const manifest = await input.parse(() => readHead(cursor, limits))
    const tables = new Map(manifest.tables.map((table) => [table.name, table]))
    const read = new Map<ManifestTable, number>()
    input.startData()
    await input.parse(() => { cursor.expect(OPEN_BRACE, 'the data part') })
    let more = !await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACE) })
    while (more) {
      const name = await input.parse(() => cursor.readKey())
      const table = tables.get(name)
      if (table === undefined) throw new SnapshotInvalid(`the data hold a table ${JSON.stringify(name.slice(0, 63))} that the manifest does not name`)
      if (read.has(table)) throw new SnapshotInvalid(`the data hold table ${JSON.stringify(name)} twice`)
      read.set(table, await readRows(table, await open(table, manifest)))
      more = await input.parse(() => separator(cursor, CLOSE_BRACE, 'the next table'))
    }
    const dataChecksum = input.endData()
    await input.parse(() => { cursor.skipSpace(); cursor.expect(CLOSE_BRACE, 'the end of the file') })
    await input.expectEnd()
    for (const table of manifest.tables) {
      if (!read.has(table)) throw new SnapshotInvalid(`the data lack table ${JSON.stringify(table.name)}`)
    }
    return { manifest, tables: [...read].map(([table, rows]) => ({ table, rows })), dataChecksum, ...input.total() }
  }

  async function readRows (table: ManifestTable, target: RowTarget): Promise<number> {
    const columns = table.columns.map(encodedColumn)
      .map((column): TargetColumn => ({ ...column, skip: !target.keep(column) }))
    const transcode = createJsonToCopy(columns)
    const queue = new ByteQueue()
    let rows = 0
    let written: Buffer[] = []
    async function flush (): Promise<void> {
      for (const piece of queue.take()) {
        await target.write(piece)
        queue.giveBack(written)
        written = [piece]
      }
      onProgress?.(table.name, rows, input.bytes)
    }
    try {
      await input.parse(() => { cursor.skipSpace(); cursor.expect(OPEN_BRACKET, 'a list of rows') })
      let more = !await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACKET) })
      while (more) {
        // As many rows as the bytes at hand hold, without a promise for each
        more = readBatch()
        if (queue.full) await flush()
        else if (more) await input.fillRow()
      }
    } catch (error) {
      if (error instanceof SnapshotSyntaxError) throw new SnapshotInvalid(`table ${JSON.stringify(table.name)}, row ${rows + 1}: ${error.message}`)
      throw error
    }
    await flush()
    return rows

    /** False at the end of the list. Ends early when bytes run out or the queue is full. */
    function readBatch (): boolean {
      while (!queue.full) {
        cursor.skipSpace()
        if (!input.mayHoldRow()) return true
        const { position } = cursor
        const mark = queue.mark()
        if (!transcode(cursor, queue)) return true
        input.checkRow(cursor.position - position)
        try {
          if (!separator(cursor, CLOSE_BRACKET, 'the next row')) {
            rows++
            return false
          }
          rows++
        } catch (error) {
          // What follows the row decides whether there is another: read it again together with that
          if (!(error instanceof Incomplete)) throw error
          cursor.position = position
          queue.reset(mark)
          return true
        }
      }
      return true
    }
  }
}

/** Only the head of a snapshot: whether the rest is sound, it can't say. */
export async function readManifest (source: AsyncIterable<Buffer>): Promise<Manifest> {
  const input = createSnapshotInput(source)
  return await withPublicErrors(async () => await input.parse(() => readHead(input.cursor, unlimited)))
}

async function withPublicErrors<T> (read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SnapshotSyntaxError) throw new SnapshotInvalid(error.message)
    throw error
  }
}

/** Over a comma: true. Over the closing bracket: false. */
function separator (cursor: JsonCursor, closing: number, what: string): boolean {
  cursor.skipSpace()
  if (cursor.accept(COMMA)) return true
  cursor.expect(closing, `a comma before ${what}, or the closing bracket,`)
  return false
}

/** The manifest and the key `data`. */
function readHead (cursor: JsonCursor, { manifestBytes }: ReadLimits): Manifest {
  cursor.skipSpace()
  cursor.expect(OPEN_BRACE, 'a JSON object')
  if (cursor.readKey() !== 'manifest') throw new SnapshotInvalid('it does not begin with a manifest')
  const start = cursor.position
  cursor.skipValue()
  const manifest = cursor.bytes.subarray(start, cursor.position)
  if (manifest.length > manifestBytes) throw new LimitExceeded('the manifest', `manifestBytes allows (${manifestBytes} bytes)`)
  cursor.skipSpace()
  cursor.expect(COMMA, 'a comma behind the manifest')
  if (cursor.readKey() !== 'data') throw new SnapshotInvalid('no data follow the manifest')
  cursor.peek()
  // Decoding would put U+FFFD in place of what is no UTF-8
  if (!isUtf8(manifest)) throw new SnapshotInvalid('the manifest is no UTF-8')
  return parseManifest(manifest.toString())
}
