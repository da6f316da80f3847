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
 * Bytes of a read. A download keeps four of them in memory as long as it lasts. With 1 MiB a restore is as fast and a
 * download takes half as long again, but 200 clients that stall need 600 MB.
 */
const readSize = 64 * 1024

/**
 * O_NOFOLLOW rejects symbolic links; O_NONBLOCK does not wait for the writer of a FIFO. Windows has neither flag, and
 * `|` converts undefined to 0.
 */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Codes of open() for what is not a regular file: ENOENT, ELOOP for a link (EMLINK on FreeBSD), ENXIO for a socket. */
const missingCodes = new Set(['ENOENT', 'ELOOP', 'EMLINK', 'ENXIO'])

/** The directory of a storage, and the functions to access it. */
interface Directory { root: string, fs: FileSystem }

/**
 * Stores snapshots as files of one directory. Creates a missing directory with mode 0700, and files with mode 0600. An
 * existing directory keeps its mode.
 *
 * Checks names before each use. Treats links and everything except regular files as missing. Methods reject with
 * FST_BACKUP_STORAGE_FULL or FST_BACKUP_STORAGE_FAILED, and with FST_BACKUP_ARGUMENT_INVALID for a name that no
 * snapshot has. open() also rejects with an error whose code is ENOENT, and with FST_BACKUP_RANGE_INVALID when the
 * range begins behind the end of the file.
 * @param directory relative to the working directory at the time of the call
 * @param fs for tests
 */
export function createFileSystemStorage (directory: string, fs: FileSystem = promises): SnapshotStorage {
  const storage: Directory = { root: resolve(directory), fs }
  return {
    async publish (spoolPath, name) {
      await withStorageErrors('publish the snapshot', publish(storage, spoolPath, name))
    },
    open: async (name, range) => await withStorageErrors('open the snapshot', open(storage, name, range)),
    stat: async (name) => await withStorageErrors('check the snapshot', stat(storage, name)),
    remove: async (name) => await withStorageErrors('remove the snapshot', remove(storage, name)),
    list: async (prefix) => await withStorageErrors('list the snapshots', list(storage, prefix))
  }
}

async function publish ({ root, fs }: Directory, spoolPath: string, name: string): Promise<void> {
  const target = pathOf(root, name)
  // A directory that contains the spool file exists. If it has been removed since, a new one must not take its place
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

async function open ({ root, fs }: Directory, name: string, range?: ByteRange): Promise<Readable> {
  const path = pathOf(root, name)
  const handle = await fs.open(path, readFlags).catch((error: unknown) => {
    throw missingCodes.has(systemCode(error)) ? missing() : error
  })
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw missing()
    // createReadStream() never closes the handle when it rejects the range (seen with Node 20.20)
    if (range !== undefined && !isWithin(range, stats.size)) throw new RangeInvalid(stats.size)
    return handle.createReadStream({ ...range, highWaterMark: readSize })
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function stat ({ root, fs }: Directory, name: string): Promise<StoredSnapshot | null> {
  const path = pathOf(root, name)
  const stats = await fs.lstat(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
  return stats?.isFile() ? { name, sizeBytes: stats.size } : null
}

async function remove (directory: Directory, name: string): Promise<void> {
  const { root, fs } = directory
  if (await stat(directory, name) === null) return
  await removeFile(fs, pathOf(root, name))
  await syncDirectory(fs, root)
}

/** readdir() returns the types of the entries: lstat() for each of 20,000 entries takes 30 times as long. */
async function list ({ root, fs }: Directory, prefix = ''): Promise<Array<{ name: string }>> {
  const entries = await fs.readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
    return []
  })
  return entries
    .filter((entry) => entry.name.startsWith(prefix) && isStoredName(entry.name) && entry.isFile())
    .map(({ name }) => ({ name }))
}

function pathOf (root: string, name: string): string {
  if (!isStoredName(name)) {
    throw new ArgumentInvalid("a snapshot's name is a bare file name that ends in .json, .json.gz or .json.zst")
  }
  return join(root, name)
}

const isStoredName = (name: string): boolean => isSnapshotName(name) || isMarkerName(name)

async function withStorageErrors<T> (operation: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storageError(error, operation)
  }
}

const isWithin = ({ start, end }: ByteRange, size: number): boolean =>
  Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && start < size

const missing = (): Error => Object.assign(new Error('There is no such snapshot'), { code: 'ENOENT' })
