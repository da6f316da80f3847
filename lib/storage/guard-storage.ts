import { StorageFailed } from '../errors.ts'
import { storageError } from './storage-error.ts'
import type { SnapshotStorage } from '../../types/index.ts'
import { isOwnError, kindOf } from '../own-error.ts'

/** Turns what a storage rejects with into an error that can leave the library. Somebody else's message may hold anything. */
export function publicStorageError (error: unknown, operation: string): Error {
  const told = storageError(error, operation)
  return told instanceof Error && isOwnError(told) ? told : new StorageFailed(operation, kindOf(error))
}

/** The file is not there: the one error that open() may tell by its code (see SnapshotStorage). */
export const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** A storage of somebody else's, whose errors are ours. */
export function guardStorage (storage: SnapshotStorage): SnapshotStorage {
  async function told<T> (operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw publicStorageError(error, operation)
    }
  }

  return {
    publish: async (spoolPath, name) => { await told('publish the snapshot', async () => { await storage.publish(spoolPath, name) }) },
    async open (name, range) {
      try {
        return await storage.open(name, range)
      } catch (error) {
        throw isMissing(error) ? error : publicStorageError(error, 'open the snapshot')
      }
    },
    stat: async (name) => await told('look at the snapshot', async () => await storage.stat(name)),
    remove: async (name) => { await told('remove the snapshot', async () => { await storage.remove(name) }) },
    list: async (prefix) => await told('list the snapshots', async () => await storage.list(prefix))
  }
}
