import * as promises from 'node:fs/promises'
import { removeFile } from './move-file.ts'
import { storageError } from './storage-error.ts'

/**
 * A new file for a snapshot to grow in: private (0600), never an existing one, in a directory that is there. Rejects with FST_BACKUP_STORAGE_FAILED or _FULL, as all below.
 */
export async function createSpoolFile (path: string): Promise<promises.FileHandle> {
  return await onStorage('create a snapshot file', async () => {
    return await promises.open(path, 'wx+', 0o600)
  })
}

/** One write() may write less than it was given. Gives the number of bytes. */
export async function writeAll (file: promises.FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  return done
}

/** Closes and deletes it; fine at any time, also twice. */
export async function discardSpoolFile (file: promises.FileHandle, path: string): Promise<void> {
  // What matters is that the file goes; closing a closed one does nothing
  await file.close().catch(() => {})
  await onStorage('remove an unfinished snapshot', async () => { await removeFile(promises, path) })
}

export async function onStorage<T> (operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error, operation)
  }
}
