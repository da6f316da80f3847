import { SnapshotInvalid } from '../errors.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { findWrongId, findProblems, readThrough } from '../snapshot/find-problems.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'

/**
 * Reads the whole file before any row is replaced, and checks its structure, its counts, both checksums, and that it
 * is the expected snapshot. For a modified file that is accepted, the manifest is returned with the counts of its
 * actual rows.
 * @throws FST_BACKUP_SNAPSHOT_INVALID
 */
export async function verifySnapshot (job: RestoreJob, hooks: RestoreHooks): Promise<ReadSnapshot> {
  const read = await readThrough(hooks)
  const { manifest } = read
  const problems = job.allowModified
    ? findWrongId(manifest, job.expected.id)
    : findProblems(read, job.expected)
  if (problems.length > 0) throw Object.assign(new SnapshotInvalid(problems.join('; ')), { problems })
  if (!job.allowModified) return read
  return { ...read, manifest: { ...manifest, tables: read.tables.map(({ table, rows }) => ({ ...table, rows })) } }
}
