import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { EncodedColumn } from '../../lib/snapshot/codec/column-encoding.ts'
import { encodeHead, type TableDraft } from '../../lib/snapshot/file-format.ts'
import { readSnapshot, type ReadSnapshot } from '../../lib/snapshot/snapshot-reader.ts'
import { sinkFor } from '../../lib/snapshot/open-sink.ts'
import { openSnapshotWriter } from '../../lib/snapshot/snapshot-writer.ts'
import type { Manifest } from '../../types/index.ts'
import { useDirectory } from '../support/directory.ts'
import { draftOf, manifestOf } from './manifest.ts'

/** Writes lines of COPY text, by table, and returns the file. */
export async function writeFileOf (
  t: Test,
  tables: TableDraft[],
  lines: Record<string, string[]>
): Promise<{ file: Buffer; manifest: Manifest }> {
  const counted = tables.map((table) => ({ ...table, rows: lines[table.name]?.length ?? 0 }))
  const path = join(await useDirectory(t), 'snapshot')
  const writer = await openSnapshotWriter(sinkFor({ spoolPath: path, compression: null }), draftOf(tables))
  for (const table of tables) {
    writer.startTable(table)
    for (const line of lines[table.name] ?? []) {
      const bytes = Buffer.from(line)
      await writer.writeRow(bytes, 0, bytes.length)
    }
    writer.endTable()
  }
  const { manifest } = await writer.finish(draftOf(counted))
  return { file: await readFile(path), manifest }
}

/** A file with any data part. */
export const fileOf = (tables: TableDraft[], data: string): Buffer =>
  Buffer.from(`${encodeHead(manifestOf(tables)).toString()}${data}}\n`)

/** The file in chunks of these sizes, repeated. */
export async function * chunksOf (file: Uint8Array, ...sizes: number[]): AsyncGenerator<Buffer> {
  for (let position = 0, turn = 0; position < file.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 0
    yield Buffer.from(file.subarray(position, position + size))
    position += size
  }
}

/** The COPY text and the number of rows of each table. */
export interface Read extends ReadSnapshot { copied: Map<string, string>, rows: Map<string, number> }

/** Reads a complete snapshot. */
export async function readAll (
  source: AsyncIterable<Buffer>,
  keep: (column: EncodedColumn) => boolean = () => true
): Promise<Read> {
  const parts = new Map<string, Buffer[]>()
  const read = await readSnapshot(source, async ({ name }) => {
    const own: Buffer[] = []
    parts.set(name, own)
    return {
      keep,
      write: async (part) => {
        own.push(Buffer.from(part))
      }
    }
  })
  return {
    ...read,
    copied: new Map([...parts].map(([name, own]) => [name, Buffer.concat(own).toString()])),
    rows: new Map(read.tables.map(({ table, rows }) => [table.name, rows]))
  }
}
