import type { Manifest, ManifestTable } from '../../types/index.ts'
import { SnapshotInvalid } from '../errors.ts'
import { checksumOf } from './checksum.ts'
import { SnapshotSyntaxError } from './codec/json-cursor.ts'
import { headSizeOf, textAfterRows, textBeforeRows } from './file-format.ts'
import { type Head, readHead } from './read-head.ts'
import { readRows, type ReadTable, type RowTarget } from './read-rows.ts'
import { acceptSeparator } from './separator.ts'
import { type ReadLimits, SnapshotInput, unlimited } from './snapshot-input.ts'

export type { ReadTable, RowTarget } from './read-rows.ts'

/** The manifest of a file, which may be damaged. */
export interface ReadManifest {
  manifest: Manifest
  /** The manifest ends with the checksum of its own bytes. */
  isManifestIntact: boolean
}

export interface ReadSnapshot extends ReadManifest {
  /** In the order of the data. */
  tables: ReadTable[]
  /** What is around the manifest and the rows is what the manifest asks for, byte for byte. */
  isFrameIntact: boolean
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

export const parseHere: ParseManifest = async (json) => (await import('./parse-manifest.ts')).parseManifest(json)

/** Called after each piece of a table; `rows` of the table and `bytes` of the file have been read. */
export type OnRows = (table: string, rows: number, bytes: number) => void

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
    const { manifest, isManifestIntact, isFrameIntact: isHeadIntact } = await parseHead(input, limits, parseManifest)
    const { tables, isFrameIntact } = await readData(input, manifest, open, onRows)
    return {
      manifest,
      isManifestIntact,
      tables,
      isFrameIntact: isHeadIntact && isFrameIntact,
      sizeBytes: input.bytes
    }
  })
}

/** Reads only the manifest. The rest of the file may be damaged. */
export async function readManifest (
  chunks: AsyncIterable<Buffer>, limits: ReadLimits = unlimited, parseManifest: ParseManifest = parseHere
): Promise<ReadManifest> {
  const input = new SnapshotInput(chunks, limits)
  return await withPublicErrors(async () => {
    const { manifest, isManifestIntact } = await parseHead(input, limits, parseManifest)
    return { manifest, isManifestIntact }
  })
}

async function parseHead (
  input: SnapshotInput, limits: ReadLimits, parseManifest: ParseManifest
): Promise<Omit<Head, 'json'> & { manifest: Manifest }> {
  const { json, isManifestIntact, isFrameIntact } = await input.parse(() => readHead(input.cursor, limits))
  const manifest = await parseManifest(json)
  const { bytes } = input.cut()
  return { manifest, isManifestIntact, isFrameIntact: isFrameIntact && bytes === headSizeOf(manifest) }
}

/** Reads the data part and what follows it. */
async function readData (
  input: SnapshotInput, manifest: Manifest, open: OpenTable, onRows: OnRows | undefined
): Promise<Pick<ReadSnapshot, 'tables' | 'isFrameIntact'>> {
  const tables: ReadTable[] = []
  let isFrameIntact = true
  await readTables(input, manifest, async (table) => {
    const expected = textBeforeRows(manifest.tables[tables.length] as ManifestTable, tables.length)
    const { read, before } = await readRows(input, table, await open(table, manifest), onRows)
    if (before.checksum !== checksumOf(expected)) isFrameIntact = false
    tables.push(read)
  })
  await expectAfterSpace(input, CLOSE_BRACE, 'the end of the file')
  await input.expectEnd()
  if (input.cut().checksum !== checksumOf(textAfterRows(manifest))) isFrameIntact = false
  return { tables, isFrameIntact }
}

/** Calls `read` for each table of the data part, each time in front of its rows. */
async function readTables (
  input: SnapshotInput, manifest: Manifest, read: (table: ManifestTable) => Promise<void>
): Promise<void> {
  const { cursor } = input
  const missing = new Map(manifest.tables.map((table) => [table.name, table]))
  const named = new Set(missing.keys())
  await input.parse(() => { cursor.expect(OPEN_BRACE, 'the data part') })
  let more = !await input.parse(() => { cursor.skipSpace(); return cursor.accept(CLOSE_BRACE) })
  while (more) {
    const name = await input.parse(() => cursor.readKey())
    const table = missing.get(name)
    if (table === undefined) {
      if (named.has(name)) throw new SnapshotInvalid(`the data contain table ${JSON.stringify(name)} twice`)
      const shown = JSON.stringify(name.slice(0, 63))
      throw new SnapshotInvalid(`the data contain a table ${shown} that the manifest does not name`)
    }
    missing.delete(name)
    await read(table)
    more = await input.parse(() => acceptSeparator(cursor, CLOSE_BRACE, 'the next table'))
  }
  const [lacking] = missing.keys()
  if (lacking !== undefined) throw new SnapshotInvalid(`the data lack table ${JSON.stringify(lacking)}`)
}

async function expectAfterSpace (input: SnapshotInput, byte: number, what: string): Promise<void> {
  await input.parse(() => {
    input.cursor.skipSpace()
    input.cursor.expect(byte, what)
  })
}

/** Turns an error of the syntax into FST_BACKUP_SNAPSHOT_INVALID. */
export async function withPublicErrors<T> (read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SnapshotSyntaxError) throw new SnapshotInvalid(error.message)
    throw error
  }
}
