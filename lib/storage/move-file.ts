import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from './storage-error.ts'

/** node:fs/promises, or a test double of it. */
export type FileSystem = typeof import('node:fs/promises')

/**
 * Moves the file at `path` to `directory`/`name` atomically, and never replaces another file. The caller syncs the
 * directory to make it durable. `path` may still exist afterwards.
 *
 * Only a hard link does all of this. Where the file system does not support hard links (exFAT, some network mounts) or
 * refuses one, this function checks that the name is free and then renames. Between the two another process could
 * create a file with the same name.
 * @throws the system's error; code EEXIST when the name exists
 */
export async function moveFile (fs: FileSystem, path: string, directory: string, name: string): Promise<void> {
  const target = join(directory, name)
  try {
    await linkOrRename(fs, path, target)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    // Between devices a file can only be copied. The name of the copy is not a snapshot's, in case the process ends
    const copy = join(directory, `.${randomUUID()}.partial`)
    try {
      await copyDurably(fs, path, copy)
      await linkOrRename(fs, copy, target)
    } finally {
      // It is a second name of the published file, or an incomplete copy that may fill the disk
      await removeQuietly(fs, copy)
    }
  }
}

async function linkOrRename (fs: FileSystem, path: string, target: string): Promise<void> {
  try {
    await fs.link(path, target)
  } catch {
    // Systems without hard links report EPERM, ENOTSUP, ENOSYS, EISDIR, EACCES …; with any other error the rename fails
    // too
    await requireFreeName(fs, target)
    await fs.rename(path, target)
  }
}

async function requireFreeName (fs: FileSystem, target: string): Promise<void> {
  const existing = await fs.lstat(target).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
  if (existing === undefined) return
  throw Object.assign(new Error('EEXIST: file already exists, rename'), { code: 'EEXIST', syscall: 'rename' })
}

async function copyDurably (fs: FileSystem, path: string, copy: string): Promise<void> {
  await fs.copyFile(path, copy, constants.COPYFILE_EXCL)
  await restrictMode(fs, copy)
  // Windows syncs only files that are open for writing
  const handle = await fs.open(copy, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Sets mode 0600. A file system without modes (FAT, some network mounts) refuses; its mount options decide who may
 * read.
 */
export async function restrictMode (fs: FileSystem, path: string): Promise<void> {
  await fs.chmod(path, 0o600).catch((error: unknown) => {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS'].includes(systemCode(error))) throw error
  })
}

/** Removes a file; does nothing when it is missing. rm() would report ENOTDIR for a file that may not be deleted. */
export async function removeFile (fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
}

/** For the cleanup after a failure: that one is reported, and not a failure of the cleanup. */
export async function removeQuietly (fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch(() => {})
}

/** Codes with which Windows and some network file systems report that a directory cannot be synced. */
const noDirectorySync = new Set(['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF'])

/** Makes the names in `directory` durable, where the platform supports it; see fsync(2). */
export async function syncDirectory (fs: FileSystem, directory: string): Promise<void> {
  try {
    const handle = await fs.open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!noDirectorySync.has(systemCode(error))) throw error
  }
}
