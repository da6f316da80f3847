import { isUtf8 } from 'node:buffer'
import type { Manifest, ManifestTable } from '../../types/index.ts'
import { LimitExceeded, SnapshotInvalid } from '../errors.ts'
import { type JsonCursor, SnapshotSyntaxError } from './codec/json-cursor.ts'
import { readRows, type RowTarget } from './read-rows.ts'
import { acceptSeparator } from './separator.ts'
import { type ReadLimits, SnapshotInput, unlimited } from './snapshot-input.ts'

export type { RowTarget } from './read-rows.ts'

export interface ReadSnapshot {
  manifest: Manifest
  /** The tables of the manifest, in the order of the data, each with the number of rows that the data contain. */
  tables: Array<{ table: ManifestTable, rows: number }>
  /** `sha256:…` of the complete file. */
  checksum: string
  /** `sha256:…` of the data part. */
  dataChecksum: string
  sizeBytes: number
}

/** Called at the start of each table; returns the target of its rows. */
export type OpenTable = (table: ManifestTable, manifest: Manifest) => Promise<RowTarget>

/**
 * Parses the JSON of a manifest. The default loads the validator when it is needed, which takes 0.2 s: in a worker
 * thread, the main thread has loaded it already.
 * @throws FST_BACKUP_SNAPSHOT_INVALID
 */
export type ParseManifest = (json: string) => Promise<Manifest>

const parseHere: ParseManifest = async (json) => (await import('./parse-manifest.ts')).parseManifest(json)

/** Called after each piece of a table; `rows` of the table and `bytes` of the file have been read. */
export type OnRows = (table: string, rows: number, bytes: number) => void

const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * Reads a snapshot once, from its first byte to its last, in any formatting that JSON allows. Memory is needed for one
 * row only. Throws FST_BACKUP_SNAPSHOT_INVALID for anything that is not a snapshot, with table and row number and never
 * with a value.
 *
 * The caller compares checksums and counts.
 */
export async function readSnapshot (
  chunks: AsyncIterable<Buffer>,
  open: OpenTable,
  onRows?: OnRows,
  limits: ReadLimits = unlimited,
  parseManifest: ParseManifest = parseHere
): Promise<ReadSnapshot> {
  const input = new SnapshotInput(chunks, limits)
  return await withPublicErrors(async () => {
    const manifest = await parseManifest(await input.parse(() => readHead(input.cursor, limits)))
    input.startData()
    const rowCounts = await readTables(input, manifest, open, onRows)
    const dataChecksum = input.endData()
    await expectAfterSpace(input, CLOSE_BRACE, 'the end of the file')
    await input.expectEnd()
    for (const table of manifest.tables) {
      if (!rowCounts.has(table)) throw new SnapshotInvalid(`the data lack table ${JSON.stringify(table.name)}`)
    }
    const tables = [...rowCounts].map(([table, rows]) => ({ table, rows }))
    return { manifest, tables, dataChecksum, ...input.total() }
  })
}

/** Reads only the manifest. The rest of the file may be damaged. */
export async function readManifest (chunks: AsyncIterable<Buffer>, limits: ReadLimits = unlimited): Promise<Manifest> {
  const input = new SnapshotInput(chunks, limits)
  return await withPublicErrors(async () => await parseHere(await input.parse(() => readHead(input.cursor, limits))))
}

/** Reads the data part and returns the number of rows of each table. */
async function readTables (
  input: SnapshotInput,
  manifest: Manifest,
  open: OpenTable,
  onRows: OnRows | undefined
): Promise<Map<ManifestTable, number>> {
  const { cursor } = input
  const tables = new Map(manifest.tables.map((table) => [table.name, table]))
  const rowCounts = new Map<ManifestTable, number>()
  await input.parse(() => { cursor.expect(OPEN_BRACE, 'the data part') })
  let more = !await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACE) })
  while (more) {
    const name = await input.parse(() => cursor.readKey())
    const table = tables.get(name)
    if (table === undefined) {
      const shown = JSON.stringify(name.slice(0, 63))
      throw new SnapshotInvalid(`the data contain a table ${shown} that the manifest does not name`)
    }
    if (rowCounts.has(table)) throw new SnapshotInvalid(`the data contain table ${JSON.stringify(name)} twice`)
    rowCounts.set(table, await readRows(input, table, await open(table, manifest), onRows))
    more = await input.parse(() => acceptSeparator(cursor, CLOSE_BRACE, 'the next table'))
  }
  return rowCounts
}

async function expectAfterSpace (input: SnapshotInput, byte: number, what: string): Promise<void> {
  await input.parse(() => {
    input.cursor.skipSpace()
    input.cursor.expect(byte, what)
  })
}

async function withPublicErrors<T> (read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SnapshotSyntaxError) throw new SnapshotInvalid(error.message)
    throw error
  }
}

/** Parses the key `data` and what precedes it. Returns the JSON of the manifest. */
function readHead (cursor: JsonCursor, { manifestBytes }: ReadLimits): string {
  cursor.skipSpace()
  cursor.expect(OPEN_BRACE, 'a JSON object')
  if (cursor.readKey() !== 'manifest') throw new SnapshotInvalid('it does not begin with a manifest')
  const start = cursor.position
  cursor.skipValue()
  const manifest = cursor.bytes.subarray(start, cursor.position)
  if (manifest.length > manifestBytes) {
    throw new LimitExceeded('the manifest', `manifestBytes allows (${manifestBytes} bytes)`)
  }
  cursor.skipSpace()
  cursor.expect(COMMA, 'a comma after the manifest')
  if (cursor.readKey() !== 'data') throw new SnapshotInvalid('no data follow the manifest')
  cursor.peek()
  // toString() replaces what is not UTF-8 by U+FFFD
  if (!isUtf8(manifest)) throw new SnapshotInvalid('the manifest is not UTF-8')
  return manifest.toString()
}
