import { SnapshotInvalid } from '../errors.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { readFile } from './read-file.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'

/**
 * Reads the whole file before anything is touched: its structure, its counts, both checksums, and that it is the one it claims to be. The
 * manifest of a modified one is given with the rows that it has.
 */
export async function verifySnapshot (job: RestoreJob, hooks: RestoreHooks): Promise<ReadSnapshot> {
  const drop = { keep: () => true, write: async () => {} }
  const read = await readFile(hooks, 'verify', async () => drop)
  const { manifest } = read
  if (manifest.id !== job.id) throw new SnapshotInvalid(`it holds the snapshot ${manifest.id} in place of ${job.id}`)
  if (job.allowModified) return { ...read, manifest: { ...manifest, tables: read.tables.map(({ table, rows }) => ({ ...table, rows })) } }
  for (const { table, rows } of read.tables) {
    if (rows !== table.rows) throw new SnapshotInvalid(`table ${JSON.stringify(table.name)} has ${rows} rows, and the manifest says ${table.rows}`)
  }
  if (read.dataChecksum !== manifest.checksum) throw new SnapshotInvalid('its data do not match the checksum in the manifest')
  if (job.checksum !== null && read.checksum !== job.checksum) throw new SnapshotInvalid('it does not match the checksum in the log')
  return read
}
