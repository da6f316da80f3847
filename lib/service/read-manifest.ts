import type { Readable } from 'node:stream'
import { SnapshotInvalid } from '../errors.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import type { Context } from '../runs/context.ts'
import { expectedOf, openSnapshot } from '../runs/open-snapshot.ts'
import { decompressed } from '../pipeline/plain-source.ts'
import { findManifestProblems } from '../snapshot/find-problems.ts'
import { readManifest, type ReadManifest } from '../snapshot/snapshot-reader.ts'
import { publicStorageError } from '../storage/public-storage-errors.ts'
import type { Backup, Manifest } from '../../types/index.ts'

/** Reads the head of a file only. The caller destroys the stream. */
export async function readHeadOf ({ options }: Context, { trigger }: Backup, stream: Readable): Promise<ReadManifest> {
  try {
    const { stream: plain } = await decompressed(stream)
    return await readManifest(plain, trigger === 'import' ? options.limits : undefined)
  } catch (error) {
    throw stream.errored === null ? error : publicStorageError(stream.errored, 'read the snapshot')
  }
}

/**
 * The manifest of a snapshot, from the head of its file. Throws FST_BACKUP_SNAPSHOT_INVALID when the head is damaged or
 * belongs to another snapshot.
 */
export async function showManifest (context: Context, id: string): Promise<Manifest> {
  const backup = await getAvailable(context, id)
  const stream = await openSnapshot(context, backup)
  // As a download, it keeps the backup from being removed, and ends with the service
  context.runs.trackDownload(id, stream)
  try {
    const head = await readHeadOf(context, backup, stream)
    const problems = findManifestProblems(head, expectedOf(backup))
    if (problems.length > 0) throw Object.assign(new SnapshotInvalid(problems.join('; ')), { problems })
    return head.manifest
  } finally {
    stream.destroy()
  }
}
