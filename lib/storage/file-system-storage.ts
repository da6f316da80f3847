import { constants } from 'node:fs'
import * as promises from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { ArgumentInvalid, RangeInvalid } from '../errors.ts'
import type { ByteRange, SnapshotStorage, StoredSnapshot } from '../../types/index.ts'
import { makeDirectory } from './make-directory.ts'
import { moveFile, removeFile, removeQuietly, restrictMode, syncDirectory, type FileSystem } from './move-file.ts'
import { isMarkerName } from './marker.ts'
import { isSnapshotName } from './snapshot-name.ts'
import { storageError, systemCode } from './storage-error.ts'

/**
 * Bytes of a read. A download holds four of them, as long as it lasts: pieces of 1 MiB are as fast in a restore, and half as slow again in a download, but
 * 200 clients that stall then cost 600 MB.
 */
const readSize = 64 * 1024

/**
 * Follows no link, and does not wait for the writer of a FIFO. Windows has neither flag, and `|` takes undefined for 0.
 */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** What open() says of a link (ELOOP; EMLINK on FreeBSD) and of a socket (ENXIO), besides of nothing at all. */
const notThereCodes = new Set(['ENOENT', 'ELOOP', 'EMLINK', 'ENXIO'])

/**
 * Snapshots as files of one directory, which is made when it is missing: mode 0700, its files 0600. An existing directory keeps its mode.
 *
 * Names are checked before each use; links and anything but regular files count as not there. Methods reject with
 * FST_BACKUP_STORAGE_FULL or FST_BACKUP_STORAGE_FAILED, with FST_BACKUP_ARGUMENT_INVALID for a name that is no snapshot's, and open() with
 * code ENOENT, or with FST_BACKUP_RANGE_INVALID when not one byte lies in the range.
 * @param directory relative to the working directory of this moment
 * @param fs for tests
 */
export function createFileSystemStorage (directory: string, fs: FileSystem = promises): SnapshotStorage {
  const root = resolve(directory)

  async function publish (spoolPath: string, name: string): Promise<void> {
    const target = pathOf(name)
    // A directory that the spool file lies in is there, or has gone since, and then it must not come back as another one
    if (dirname(resolve(spoolPath)) !== root) await makeDirectory(fs, root)
    await restrictMode(fs, spoolPath)
    await moveFile(fs, spoolPath, root, name)
    try {
      await syncDirectory(fs, root)
      await removeFile(fs, spoolPath)
    } catch (error) {
      await removeQuietly(fs, target)
      throw error
    }
  }

  async function open (name: string, range?: ByteRange): Promise<Readable> {
    const path = pathOf(name)
    const handle = await fs.open(path, readFlags).catch((error: unknown) => {
      throw notThereCodes.has(systemCode(error)) ? notThere() : error
    })
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw notThere()
      // A read stream that refuses its range never lets go of the handle (seen with Node 20.20), so it is not left to it
      if (range !== undefined && !isWithin(range, stats.size)) throw new RangeInvalid(stats.size)
      return handle.createReadStream({ ...range, highWaterMark: readSize })
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async function stat (name: string): Promise<StoredSnapshot | null> {
    const path = pathOf(name)
    const stats = await fs.lstat(path).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error
    })
    return stats?.isFile() ? { name, sizeBytes: stats.size } : null
  }

  async function remove (name: string): Promise<void> {
    if (await stat(name) === null) return
    await removeFile(fs, pathOf(name))
    await syncDirectory(fs, root)
  }

  /** The entries tell what they are, so that none of them is looked at: among 20,000 that took 30 times as long. */
  async function list (prefix = ''): Promise<Array<{ name: string }>> {
    const entries = await fs.readdir(root, { withFileTypes: true }).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error
      return []
    })
    return entries.filter((entry) => entry.name.startsWith(prefix) && isStoredName(entry.name) && entry.isFile()).map(({ name }) => ({ name }))
  }

  function pathOf (name: string): string {
    if (!isStoredName(name)) throw new ArgumentInvalid("a snapshot's name is a bare file name that ends in .json")
    return join(root, name)
  }

  return {
    publish: async (spoolPath, name) => await told('publish the snapshot', publish(spoolPath, name)),
    open: async (name, range) => await told('open the snapshot', open(name, range)),
    stat: async (name) => await told('look at the snapshot', stat(name)),
    remove: async (name) => await told('remove the snapshot', remove(name)),
    list: async (prefix) => await told('list the snapshots', list(prefix))
  }
}

const isStoredName = (name: string): boolean => isSnapshotName(name) || isMarkerName(name)

async function told<T> (operation: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storageError(error, operation)
  }
}

const isWithin = ({ start, end }: ByteRange, size: number): boolean =>
  Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && start < size

const notThere = (): Error => Object.assign(new Error('There is no such snapshot'), { code: 'ENOENT' })
