import { SnapshotInvalid } from '../errors.ts'
import {
  findManifestProblems, findProblems, findTableProblems, findWrongId, readThrough
} from '../snapshot/find-problems.ts'
import { createPartsReader, readHeadOnly } from '../snapshot/read-with-progress.ts'
import type { Manifest } from '../../types/index.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'

/**
 * Reads what will be restored before any row is replaced: the complete file, or the manifest and the wanted tables.
 * Checks structure, counts and checksums, and that it is the expected snapshot.
 *
 * For a modified file that is accepted, the manifest is returned with the counts, positions and checksums of its actual
 * rows.
 * @throws FST_BACKUP_SNAPSHOT_INVALID
 */
export async function verifySnapshot (job: RestoreJob, hooks: RestoreHooks): Promise<Manifest> {
  if (job.allowModified) return await verifyModified(job, hooks)
  if (job.tables !== undefined) return await verifyTables(job, job.tables, hooks)
  const read = await readThrough(hooks)
  refuse(findProblems(read, job.expected))
  return read.manifest
}

async function verifyModified (job: RestoreJob, hooks: RestoreHooks): Promise<Manifest> {
  const read = await readThrough(hooks)
  refuse(findWrongId(read, job.expected.id))
  return { ...read.manifest, tables: read.tables.map(({ table, rows, section }) => ({ ...table, rows, ...section })) }
}

/** The manifest proves where the tables are, so nothing else has to be read. */
async function verifyTables (job: RestoreJob, wanted: string[], hooks: RestoreHooks): Promise<Manifest> {
  const head = await readHeadOnly(hooks)
  refuse(findManifestProblems(head, job.expected))
  const tables = head.manifest.tables.filter(({ name }) => wanted.includes(name))
  const read = await createPartsReader(hooks, 'verify', tables)(tables, async () => discard)
  refuse(findTableProblems(read))
  return head.manifest
}

const discard = { keep: () => true, write: async () => {} }

function refuse (problems: string[]): void {
  if (problems.length > 0) throw Object.assign(new SnapshotInvalid(problems.join('; ')), { problems })
}
