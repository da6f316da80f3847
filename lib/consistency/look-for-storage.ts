import * as promises from 'node:fs/promises'
import { StorageMissing } from '../errors.ts'
import type { BackupLog } from '../log/backup-log.ts'
import type { StoragePresence } from '../runs/storage-presence.ts'
import { makeDirectory } from '../storage/make-directory.ts'
import { markerPrefix, parseMarker } from '../storage/marker.ts'
import { onStorage } from '../storage/spool-file.ts'
import type { SnapshotStorage } from '../../types/index.ts'
import { isOwnError, isStorageError } from '../own-error.ts'
import { isSameLog } from './storage-ownership.ts'

export interface PresenceParts {
  log: Pick<BackupLog, 'identify' | 'expectedFiles' | 'expectFiles'>
  storage: SnapshotStorage
  directory: string
  /** The directory holds nothing but spool files. */
  isCustom: boolean
  now: () => Date
}

/** The newest files that are looked for one by one; only when none of them is there, everything is listed. */
const sample = 5

export function createStoragePresence ({ log, storage, directory, isCustom, now }: PresenceParts): StoragePresence {
  let marker: string | undefined
  let since: Date | null = null
  /** What the last look came to. */
  let wasPresent = false

  async function isThere (name: string): Promise<boolean> {
    return await storage.stat(name) !== null
  }

  async function isPresent (): Promise<boolean> {
    if (marker !== undefined && await isThere(marker)) return true
    const newest = await log.expectedFiles(sample)
    if (marker === undefined) for (const name of newest) if (await isThere(name)) return true
    // Nothing was ever left here
    if (newest.length === 0 && marker === undefined) return true
    if (await hasMarkerOfLog()) return true
    if (newest.length < (marker === undefined ? sample : 1)) return false
    const stored = new Set((await storage.list()).map(({ name }) => name))
    const expected = await log.expectedFiles()
    // Where the marker has gone, a run that was under way then may have put its file into another directory: so one file proves nothing
    return marker === undefined ? expected.some((name) => stored.has(name)) : expected.every((name) => stored.has(name))
  }

  /** Of any replica, also of one that was killed. */
  async function hasMarkerOfLog (): Promise<boolean> {
    const own = await log.identify()
    return (await storage.list(markerPrefix)).map(({ name }) => parseMarker(name)).some((found) => found !== undefined && isSameLog(found, own))
  }

  async function look (): Promise<boolean> {
    const isThere = await isFound()
    since = isThere ? null : since ?? now()
    return isThere
  }

  async function isFound (): Promise<boolean> {
    try {
      // Twice, since a backup may be published and all older ones pruned in between
      wasPresent = await isPresent() || await isPresent()
      return wasPresent
    } catch (error) {
      // The first marker may have to be left while the database is away; one that was left before tells by itself
      const mayLeaveFirst = wasPresent && marker === undefined && isOwnError(error, 'DATABASE_UNAVAILABLE')
      if (mayLeaveFirst || isStorageError(error)) return true
      throw error
    }
  }

  async function require (): Promise<void> {
    if (!await look()) throw new StorageMissing()
  }

  return {
    look,
    require,
    async prepare () {
      await require()
      const mayMake = isCustom || (marker === undefined && (await log.expectedFiles(1)).length === 0)
      if (mayMake) await onStorage('make its directory', async () => { await makeDirectory(promises, directory) })
    },
    missingSince: () => since,
    left (name) { marker = name },
    async accept ({ missing }) {
      await log.expectFiles(missing.map(({ id }) => id), (await storage.list()).map(({ name }) => name))
      marker = undefined
      since = null
    }
  }
}
