import type { Manifest } from '../../types/index.ts'
import { readFile, type ReadHooks } from './read-with-progress.ts'
import type { ReadSnapshot } from './snapshot-reader.ts'

/** What a file is compared with; null accepts any. */
export interface ExpectedSnapshot {
  /** What the manifest calls it. */
  id: string | null
  /** Of the whole file, `sha256:…`. */
  checksum: string | null
}

/** Reads the whole file and drops its rows. Throws FST_BACKUP_SNAPSHOT_INVALID where its structure is none of a snapshot's. */
export async function readThrough (hooks: ReadHooks): Promise<ReadSnapshot> {
  const drop = { keep: () => true, write: async () => {} }
  const read = await readFile(hooks, 'verify', async () => drop)
  const { tables, sizeBytes } = read
  hooks.onProgress({ phase: 'verify', table: null, tables: tables.length, tablesDone: tables.length, rows: tables.reduce((sum, { rows }) => sum + rows, 0), bytes: sizeBytes })
  return read
}

/** Whether it is the snapshot that it ought to be. */
export const findImpostor = ({ id }: Manifest, expected: string | null): string[] =>
  expected === null || id === expected ? [] : [`it holds the snapshot ${id} in place of ${expected}`]

/** What is wrong with a file of sound structure: that it is another one, its counts, and both checksums. */
export function findProblems (read: ReadSnapshot, expected: ExpectedSnapshot): string[] {
  const { manifest } = read
  const problems = findImpostor(manifest, expected.id)
  for (const { table, rows } of read.tables) {
    if (rows !== table.rows) problems.push(`table ${JSON.stringify(table.name)} has ${rows} rows, and the manifest says ${table.rows}`)
  }
  const total = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
  if (manifest.totalRows !== total) problems.push(`the manifest says ${manifest.totalRows} rows in all, and ${total} for its tables together`)
  if (manifest.totalTables !== manifest.tables.length) problems.push(`the manifest says ${manifest.totalTables} tables, and names ${manifest.tables.length}`)
  if (read.dataChecksum !== manifest.checksum) problems.push('its data do not match the checksum in the manifest')
  if (expected.checksum !== null && read.checksum !== expected.checksum) problems.push('it does not match the checksum in the log')
  return problems
}
