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
  log: Pick<BackupLog, 'identify' | 'expectedFiles' | 'updateExpectedFiles'>
  storage: SnapshotStorage
  directory: string
  /** The storage is a custom one, so the directory contains only spool files. */
  isCustom: boolean
  now: () => Date
}

export function createStoragePresence (parts: PresenceParts): StoragePresence {
  const { log, storage, directory, isCustom, now } = parts
  let marker: string | undefined
  let since: Date | null = null
  /** The result of the last check. */
  let wasPresent = false

  async function check (): Promise<boolean> {
    const isFound = await find()
    since = isFound ? null : since ?? now()
    return isFound
  }

  async function find (): Promise<boolean> {
    try {
      // Twice, since a backup may be published and all older ones pruned during the first check
      wasPresent = await isPresent(parts, marker) || await isPresent(parts, marker)
      return wasPresent
    } catch (error) {
      // A service must be able to write its first marker while the database is down; a marker that it has written
      // already is found without the database
      const mayWriteFirst = wasPresent && marker === undefined && isOwnError(error, 'DATABASE_UNAVAILABLE')
      if (mayWriteFirst || isStorageError(error)) return true
      throw error
    }
  }

  async function require (): Promise<void> {
    if (!await check()) throw new StorageMissing()
  }

  return {
    check,
    require,
    async prepare () {
      await require()
      const mayCreate = isCustom || (marker === undefined && (await log.expectedFiles(1)).length === 0)
      if (mayCreate) await onStorage('make its directory', async () => { await makeDirectory(promises, directory) })
    },
    missingSince: () => since,
    setMarker (name) { marker = name },
    async accept ({ missing }) {
      await log.updateExpectedFiles(missing.map(({ id }) => id), (await storage.list()).map(({ name }) => name))
      marker = undefined
      since = null
    }
  }
}

/** The number of newest files that are checked one by one. Only when none of them exists, all files are listed. */
const sampleSize = 5

/** @param marker the one that this service has written to the storage */
async function isPresent ({ log, storage }: PresenceParts, marker: string | undefined): Promise<boolean> {
  const exists = async (name: string): Promise<boolean> => await storage.stat(name) !== null
  if (marker !== undefined && await exists(marker)) return true
  const newest = await log.expectedFiles(sampleSize)
  if (marker === undefined) for (const name of newest) if (await exists(name)) return true
  // This log has not yet written to the storage
  if (newest.length === 0 && marker === undefined) return true
  if (await hasMarkerOfLog({ log, storage })) return true
  if (newest.length < (marker === undefined ? sampleSize : 1)) return false
  const stored = new Set((await storage.list()).map(({ name }) => name))
  const expected = await log.expectedFiles()
  // If the marker is missing, a run that was in progress then may have put its file into another directory, so one file
  // proves nothing
  return marker === undefined
    ? expected.some((name) => stored.has(name))
    : expected.every((name) => stored.has(name))
}

/** Whether the storage contains a marker of any replica, even of one that was killed. */
async function hasMarkerOfLog ({ log, storage }: Pick<PresenceParts, 'log' | 'storage'>): Promise<boolean> {
  const own = await log.identify()
  const markers = (await storage.list(markerPrefix)).map(({ name }) => parseMarker(name))
  return markers.some((found) => found !== undefined && isSameLog(found, own))
}
