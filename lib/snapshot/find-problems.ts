import type { Manifest } from '../../types/index.ts'
import { readFile, type ReadHooks } from './read-with-progress.ts'
import type { ReadSnapshot } from './snapshot-reader.ts'

/** What a file is compared with. Null accepts any value. */
export interface ExpectedSnapshot {
  /** The `id` in the manifest. */
  id: string | null
  /** Of the complete file, `sha256:…`. */
  checksum: string | null
}

/**
 * Reads the complete file and discards its rows. Throws FST_BACKUP_SNAPSHOT_INVALID when the file does not have the
 * structure of a snapshot.
 */
export async function readThrough (hooks: ReadHooks): Promise<ReadSnapshot> {
  const discard = { keep: () => true, write: async () => {} }
  const read = await readFile(hooks, 'verify', async () => discard)
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
export const findWrongId = ({ id }: Manifest, expected: string | null): string[] =>
  expected === null || id === expected ? [] : [`it contains the snapshot ${id} in place of ${expected}`]

/** What is wrong with a file whose structure is valid: its id, its counts, and its two checksums. */
export function findProblems (read: ReadSnapshot, expected: ExpectedSnapshot): string[] {
  const { manifest } = read
  const problems = findWrongId(manifest, expected.id)
  for (const { table, rows } of read.tables) {
    if (rows !== table.rows) {
      problems.push(`table ${JSON.stringify(table.name)} has ${rows} rows, and the manifest says ${table.rows}`)
    }
  }
  const total = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
  if (manifest.totalRows !== total) {
    problems.push(`the manifest says ${manifest.totalRows} rows in all, and ${total} for its tables together`)
  }
  if (manifest.totalTables !== manifest.tables.length) {
    problems.push(`the manifest says ${manifest.totalTables} tables, and names ${manifest.tables.length}`)
  }
  if (read.dataChecksum !== manifest.checksum) problems.push('its data do not match the checksum in the manifest')
  if (expected.checksum !== null && read.checksum !== expected.checksum) {
    problems.push('it does not match the checksum in the log')
  }
  return problems
}
