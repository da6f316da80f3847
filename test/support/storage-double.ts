import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import { isMarkerName } from '../../lib/storage/marker.ts'
import type { SnapshotStorage } from '../../types/index.ts'

/** The file system's storage, with some of its functions replaced, markers being published all the same; each gets the true one besides. */
export type StorageChanges = { [Name in keyof SnapshotStorage]?: (storage: SnapshotStorage, ...values: Parameters<SnapshotStorage[Name]>) => ReturnType<SnapshotStorage[Name]> }

export function storageWith (directory: string, changes: StorageChanges): SnapshotStorage {
  const storage = createFileSystemStorage(directory)
  return {
    async publish (spoolPath, name) {
      const replaced = isMarkerName(name) ? undefined : changes.publish?.(storage, spoolPath, name)
      await (replaced ?? storage.publish(spoolPath, name))
    },
    open: async (name, range) => await (changes.open?.(storage, name, range) ?? storage.open(name, range)),
    stat: async (name) => await (changes.stat?.(storage, name) ?? storage.stat(name)),
    remove: async (name) => { await (changes.remove?.(storage, name) ?? storage.remove(name)) },
    list: async (prefix) => await (changes.list?.(storage, prefix) ?? storage.list(prefix))
  }
}

/** A storage that keeps the second file from being published until the gate is open: the pre_restore snapshot, with the tables locked. */
export function storageHoldingSecond (directory: string): { storage: SnapshotStorage, publishing: Gate } {
  const publishing = createGate()
  let published = 0
  const storage = storageWith(directory, {
    async publish (storage, spoolPath, name) {
      if (++published === 2) await publishing.pass()
      await storage.publish(spoolPath, name)
    }
  })
  return { storage, publishing }
}

/** Something that others wait for until the test says so. */
export interface Gate {
  /** Resolves when open() was called. */
  pass: () => Promise<void>
  open: () => void
  /** Resolves when somebody has come to it. */
  reached: Promise<void>
}

export function createGate (): Gate {
  const opening = new AbortController()
  const coming = new AbortController()
  const told = async ({ signal }: AbortController): Promise<void> => {
    if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
  return {
    async pass () {
      coming.abort()
      await told(opening)
    },
    open: () => { opening.abort() },
    reached: told(coming)
  }
}
