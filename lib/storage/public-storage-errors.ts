import { StorageFailed } from '../errors.ts'
import { storageError } from './storage-error.ts'
import type { SnapshotStorage } from '../../types/index.ts'
import { isOwnError, kindOf } from '../own-error.ts'

/**
 * Converts what a storage rejected with to an error of this library. The message of another error is not kept, since it
 * may contain anything.
 */
export function publicStorageError (error: unknown, operation: string): Error {
  const converted = storageError(error, operation)
  return converted instanceof Error && isOwnError(converted) ? converted : new StorageFailed(operation, kindOf(error))
}

/**
 * Whether the file does not exist. open() may report this, and only this, by the code of its error (see
 * SnapshotStorage).
 */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Wraps a storage of the application, so that it rejects only with errors of this library. */
export function withPublicStorageErrors (storage: SnapshotStorage): SnapshotStorage {
  async function converting<T> (operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw publicStorageError(error, operation)
    }
  }

  return {
    async publish (spoolPath, name) {
      await converting('publish the snapshot', async () => { await storage.publish(spoolPath, name) })
    },
    async open (name, range) {
      try {
        return await storage.open(name, range)
      } catch (error) {
        throw isMissing(error) ? error : publicStorageError(error, 'open the snapshot')
      }
    },
    stat: async (name) => await converting('check the snapshot', async () => await storage.stat(name)),
    remove: async (name) => { await converting('remove the snapshot', async () => { await storage.remove(name) }) },
    list: async (prefix) => await converting('list the snapshots', async () => await storage.list(prefix))
  }
}
