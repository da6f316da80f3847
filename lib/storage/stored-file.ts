import { Readable } from 'node:stream'
import { FileGone } from '../errors.ts'
import type { ByteRange } from '../../types/index.ts'
import { createFileSystemStorage } from './file-system-storage.ts'
import type { FileSystem } from './move-file.ts'
import { storageError, systemCode } from './storage-error.ts'

/** The location of a snapshot in the file system's storage, as plain data, so that another thread can open it. */
export interface StoredFile {
  /** Absolute. */
  directory: string
  name: string
}

/**
 * Returns the bytes of the file, or those of the range. Rejects with FST_BACKUP_FILE_GONE or
 * FST_BACKUP_STORAGE_FAILED; the stream fails with the latter.
 * @param fs for tests
 */
export async function openStoredFile (
  { directory, name }: StoredFile, range?: ByteRange, fs?: FileSystem
): Promise<Readable> {
  const file = await createFileSystemStorage(directory, fs).open(name, range).catch((error: unknown) => {
    throw systemCode(error) === 'ENOENT' ? new FileGone(name) : error
  })
  const stream = Readable.from(chunksOf(file), { objectMode: true, highWaterMark: 1 })
  // A stream that is destroyed before its first read does not run the generator, and would leave the file open
  stream.once('close', () => { file.destroy() })
  return stream
}

async function * chunksOf (file: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of file) yield chunk as Buffer
  } catch (error) {
    throw storageError(error, 'read the snapshot')
  }
}
