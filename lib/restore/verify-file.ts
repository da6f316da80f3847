import { SnapshotInvalid } from '../errors.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { findWrongId, findProblems, readThrough } from '../snapshot/find-problems.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'

/**
 * Reads the whole file before anything is touched: its structure, its counts, both checksums, and that it is the one it claims to be. The
 * manifest of a modified one is given with the rows that it has.
 */
export async function verifySnapshot (job: RestoreJob, hooks: RestoreHooks): Promise<ReadSnapshot> {
  const read = await readThrough(hooks)
  const { manifest } = read
  const problems = job.allowModified
    ? findWrongId(manifest, job.expected.id)
    : findProblems(read, job.expected)
  if (problems.length > 0) throw new SnapshotInvalid(problems.join('; '))
  return job.allowModified ? { ...read, manifest: { ...manifest, tables: read.tables.map(({ table, rows }) => ({ ...table, rows })) } } : read
}
