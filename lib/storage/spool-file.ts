import * as promises from 'node:fs/promises'
import { removeFile } from './move-file.ts'
import { storageError } from './storage-error.ts'

/**
 * Creates the file that a snapshot is written to, with mode 0600, in an existing directory. Never opens an existing
 * file. Like the functions below, rejects with FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function createSpoolFile (path: string): Promise<promises.FileHandle> {
  return await onStorage('create a snapshot file', async () => {
    return await promises.open(path, 'wx', 0o600)
  })
}

/** Repeats write(), which may write only a part of the bytes. Returns the number of bytes. */
export async function writeAll (file: promises.FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  return done
}

/** Closes and deletes the file. May be called at any time, and more than once. */
export async function discardSpoolFile (file: promises.FileHandle, path: string): Promise<void> {
  // The file is removed even when closing fails. Closing it twice does nothing
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
