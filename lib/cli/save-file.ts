import { createHash } from 'node:crypto'
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SnapshotInvalid } from '../errors.ts'
import type { Download } from '../../types/index.ts'
import { UsageError } from './host.ts'

/**
 * Writes a download to a file, with mode 0600, and syncs it. The file has its name only when it is complete and matches
 * the checksum of the log.
 */
export async function saveFile (
  { stream, checksum }: Download, path: string, { replace, signal }: { replace: boolean, signal: AbortSignal }
): Promise<void> {
  const partial = `${path}.partial`
  const file = await openPartial(path, partial, replace).catch((error: unknown) => {
    stream.destroy()
    throw error
  })
  const hash = createHash('sha256')
  const hashing = new Transform({
    transform (chunk, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    }
  })
  try {
    await pipeline(stream, hashing, file.createWriteStream({ flush: true }), { signal })
    if (`sha256:${hash.digest('hex')}` !== checksum) {
      throw new SnapshotInvalid('it does not match the checksum in the log')
    }
    await rename(partial, path)
  } finally {
    await rm(partial, { force: true })
  }
}

/** Looks for an existing file first, before the download has taken its time. */
async function openPartial (path: string, partial: string, replace: boolean): Promise<FileHandle> {
  const exists = await access(path).then(() => true, () => false)
  if (exists && !replace) throw new UsageError(`${path} exists; use --force to replace it`, 'EEXIST')
  return await open(partial, 'w', 0o600)
}
