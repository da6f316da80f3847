import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { isOwnError } from '../own-error.ts'
import { createProgressTotals } from '../runs/progress-totals.ts'
import { decompressed } from '../pipeline/plain-source.ts'
import { findProblems, readThrough } from '../snapshot/find-problems.ts'
import { readManifest } from '../snapshot/snapshot-reader.ts'
import type { Manifest, Progress, Verification } from '../../types/index.ts'

/** What a snapshot file contains, according to its manifest. */
export interface FileContents { sizeBytes: number, manifest: Manifest }

async function withFile<T> (path: string, read: (stream: Readable, sizeBytes: number) => Promise<T>): Promise<T> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    return await read(handle.createReadStream({ autoClose: false }), size)
  } finally {
    await handle.close()
  }
}

/**
 * Reads a snapshot file anywhere to its end, without a database. Nothing tells the checksum in the log, so only
 * what the file says of itself is compared. Rejects with an error of the file system if the file cannot be read.
 */
export async function checkFile (
  path: string, { signal, onProgress }: { signal: AbortSignal, onProgress: (progress: Progress) => void }
): Promise<Verification> {
  return await withFile(path, async (stream, sizeBytes) => {
    try {
      const { stream: plain, compression } = await decompressed(stream)
      // The progress counts bytes of the JSON, whose size nothing tells for a compressed file: its rows are counted
      const fileBytes = compression === 'none' ? sizeBytes : null
      const total = createProgressTotals(
        { shares: { verify: 100 }, fileBytes, lastSnapshot: null }, () => performance.now()
      )
      const read = await readThrough({
        open: async () => plain,
        onProgress (progress) { onProgress(total(progress)) },
        signal
      })
      const problems = findProblems(read, { id: null, checksum: null })
      return { ok: problems.length === 0, problems }
    } catch (error) {
      if (!isOwnError(error, 'SNAPSHOT_INVALID')) throw error
      return { ok: false, problems: [(error as Error).message] }
    }
  })
}

/**
 * Reads the manifest of a snapshot file, and nothing behind it.
 * @throws FST_BACKUP_SNAPSHOT_INVALID, or an error of the file system
 */
export async function inspectFile (path: string): Promise<FileContents> {
  return await withFile(path, async (stream, sizeBytes) => {
    const { stream: plain } = await decompressed(stream)
    const { manifest } = await readManifest(plain)
    return { sizeBytes, manifest }
  })
}
