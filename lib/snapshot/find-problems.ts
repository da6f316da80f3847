import { readFile, type ReadHooks } from './read-with-progress.ts'
import type { ReadManifest, ReadSnapshot, ReadTable } from './snapshot-reader.ts'

/** What a file is compared with. Null accepts any value. */
export interface ExpectedSnapshot {
  /** The `id` in the manifest. */
  id: string | null
  /** The `checksum` in the manifest. */
  checksum: string | null
}

/**
 * Reads the complete file and discards its rows. Throws FST_BACKUP_SNAPSHOT_INVALID when the file does not have the
 * structure of a snapshot.
 */
export async function readThrough (hooks: ReadHooks): Promise<ReadSnapshot> {
  const discard = { keep: () => true, write: async () => {} }
  const read = await readFile(hooks, async () => discard)
  const { tables, sizeBytes } = read
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  hooks.onProgress({
    phase: 'verify',
    table: null,
    tables: tables.length,
    tablesDone: tables.length,
    rows,
    rowsTotal: rows,
    bytes: sizeBytes,
    estimated: false
  })
  return read
}

/** A problem when the manifest's id is not the expected one; null accepts any id. */
export const findWrongId = ({ manifest: { id } }: ReadManifest, expected: string | null): string[] =>
  expected === null || id === expected ? [] : [`it contains the snapshot ${id} in place of ${expected}`]

/**
 * What is wrong with the manifest. If nothing is, the manifest is that of the log, and its positions and checksums are
 * those of a file that was complete.
 */
export function findManifestProblems (read: ReadManifest, expected: ExpectedSnapshot): string[] {
  const { manifest, isManifestIntact } = read
  const problems = findWrongId(read, expected.id)
  const total = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
  if (manifest.totalRows !== total) {
    problems.push(`the manifest says ${manifest.totalRows} rows in all, and ${total} for its tables together`)
  }
  if (manifest.totalTables !== manifest.tables.length) {
    problems.push(`the manifest says ${manifest.totalTables} tables, and names ${manifest.tables.length}`)
  }
  if (!isManifestIntact) problems.push('its manifest does not match the checksum in the manifest')
  if (expected.checksum !== null && manifest.checksum !== expected.checksum) {
    problems.push('it does not match the checksum in the log')
  }
  return problems
}

/** How the rows of these tables differ from what the manifest says. */
export function findTableProblems (tables: ReadTable[]): string[] {
  return tables.flatMap(({ table, rows, section }) => {
    const name = JSON.stringify(table.name)
    const problems = []
    if (rows !== table.rows) problems.push(`table ${name} has ${rows} rows, and the manifest says ${table.rows}`)
    if (section.checksum !== table.checksum) {
      problems.push(`the rows of table ${name} do not match their checksum in the manifest`)
    }
    return problems
  })
}

/** What is wrong with a file whose structure is valid. */
export function findProblems (read: ReadSnapshot, expected: ExpectedSnapshot): string[] {
  const problems = [...findManifestProblems(read, expected), ...findTableProblems(read.tables)]
  const moved = read.tables.find(({ table, section }) =>
    section.offset !== table.offset || section.bytes !== table.bytes)
  if (moved !== undefined) {
    const name = JSON.stringify(moved.table.name)
    problems.push(`the rows of table ${name} are not at the position that the manifest says`)
  }
  if (!read.isFrameIntact) problems.push('what is around its manifest and its rows is not as the format requires')
  return problems
}
