import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import { isMarkerName } from '../../lib/storage/marker.ts'
import type { SnapshotStorage } from '../../types/index.ts'

/** Replacements of a storage's functions. Each receives the original storage as its first argument. */
export type StorageChanges = {
  [Name in keyof SnapshotStorage]?: (
    storage: SnapshotStorage, ...values: Parameters<SnapshotStorage[Name]>
  ) => ReturnType<SnapshotStorage[Name]>
}

/** The file system's storage with some functions replaced. Markers are always published. */
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

/** A storage that calls `then` with the name of each file after it has published the file. */
export const storageFollowedBy = (
  directory: string, then: (name: string) => Promise<unknown>
): SnapshotStorage => storageWith(directory, {
  async publish (storage, spoolPath, name) {
    await storage.publish(spoolPath, name)
    await then(name)
  }
})

/** A storage that publishes files only when the gate is open. */
export const storageBehind = (directory: string, gate: Pick<Gate, 'pass'>): SnapshotStorage => storageWith(directory, {
  async publish (storage, spoolPath, name) {
    await gate.pass()
    await storage.publish(spoolPath, name)
  }
})

/**
 * A storage that publishes the second file only when the gate is open. With one backup and one restore, that file is
 * the pre_restore snapshot, and the tables are locked meanwhile.
 */
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

/** A point at which code waits until the test lets it continue. */
export interface Gate {
  /** Resolves after open() is called. */
  pass: () => Promise<void>
  open: () => void
  /** Resolves after pass() is called for the first time. */
  reached: Promise<void>
}

export function createGate (): Gate {
  const opening = new AbortController()
  const reaching = new AbortController()
  const aborted = async ({ signal }: AbortController): Promise<void> => {
    if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  }
  return {
    async pass () {
      reaching.abort()
      await aborted(opening)
    },
    open: () => { opening.abort() },
    reached: aborted(reaching)
  }
}
