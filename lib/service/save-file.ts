import { randomUUID } from 'node:crypto'
import * as promises from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { proveBytes } from '../snapshot/prove-bytes.ts'
import { moveFile, removeQuietly, syncDirectory } from '../storage/move-file.ts'
import type { Download } from '../../types/index.ts'

/**
 * Writes a download to `output`, and compares it with the checksum of the log at its end.
 * @throws FST_BACKUP_SNAPSHOT_INVALID; all bytes have been written then
 */
export async function copyDownload (
  { stream, checksum }: Pick<Download, 'stream' | 'checksum'>, output: NodeJS.WritableStream | Writable,
  { signal, end }: { signal: AbortSignal, end: boolean }
): Promise<void> {
  await pipeline(stream, (chunks: AsyncIterable<Buffer>) => proveBytes(chunks, checksum), output, { signal, end })
}

/**
 * Writes a download to a file, with mode 0600, and syncs it. The file has its name only when it is complete and
 * matches the checksum of the log. Rejects with EEXIST if the name exists at that time, unless the file may be
 * replaced.
 */
export async function saveFile (
  download: Pick<Download, 'stream' | 'checksum'>, path: string,
  { replace, signal }: { replace: boolean, signal: AbortSignal }
): Promise<void> {
  // No other process uses this name, and a link of that name is not followed
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`
  const file = await promises.open(partial, 'wx', 0o600).catch((error: unknown) => {
    download.stream.destroy()
    throw error
  })
  try {
    await copyDownload(download, file.createWriteStream({ flush: true }), { signal, end: true })
    if (replace) await promises.rename(partial, path)
    else await moveFile(promises, partial, dirname(path), basename(path))
    await syncDirectory(promises, dirname(path))
  } finally {
    await removeQuietly(promises, partial)
  }
}
