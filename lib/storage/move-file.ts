import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from './storage-error.ts'

/** node:fs/promises, or a double of it. */
export type FileSystem = typeof import('node:fs/promises')

/**
 * Gives the file at `source` the name `directory`/`name`, whole or not at all, and never over another file. Durable once the directory
 * is synced. `source` may be left in place.
 *
 * A hard link is the one operation that does all of this. Where the file system has none (exFAT, some network mounts), or where it
 * refuses one, a rename follows a look at the name; that leaves an instant in which another process could take the same name.
 * @throws the system's error; code EEXIST when the name is taken
 */
export async function moveFile (fs: FileSystem, source: string, directory: string, name: string): Promise<void> {
  const target = join(directory, name)
  try {
    await linkOrRename(fs, source, target)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    // From another device it can only be copied; under a name that is no snapshot's, in case the process dies
    const copy = join(directory, `.${randomUUID()}.partial`)
    try {
      await copyDurably(fs, source, copy)
      await linkOrRename(fs, copy, target)
    } finally {
      // What might be left is a second name of the same file, or as big as the disk allowed
      await removeQuietly(fs, copy)
    }
  }
}

async function linkOrRename (fs: FileSystem, source: string, target: string): Promise<void> {
  try {
    await fs.link(source, target)
  } catch {
    // How "no hard links here" is told differs (EPERM, ENOTSUP, ENOSYS, EISDIR, EACCES …); what else it may be, the rename tells as well
    await refuseTaken(fs, target)
    await fs.rename(source, target)
  }
}

async function refuseTaken (fs: FileSystem, target: string): Promise<void> {
  const taken = await fs.lstat(target).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
  if (taken !== undefined) throw Object.assign(new Error('EEXIST: file already exists, rename'), { code: 'EEXIST', syscall: 'rename' })
}

async function copyDurably (fs: FileSystem, source: string, copy: string): Promise<void> {
  await fs.copyFile(source, copy, constants.COPYFILE_EXCL)
  await restrictMode(fs, copy)
  // Windows syncs only what may be written
  const handle = await fs.open(copy, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Mode 0600. A file system without modes (FAT, some network mounts) refuses; there it is the mount that says who may read. */
export async function restrictMode (fs: FileSystem, path: string): Promise<void> {
  await fs.chmod(path, 0o600).catch((error: unknown) => {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS'].includes(systemCode(error))) throw error
  })
}

/** Fine when it is gone. Not by rm(), which takes a file that may not be deleted for a directory, and then says ENOTDIR. */
export async function removeFile (fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
}

/** For the way out of a failure, which is to be told rather than this one. */
export async function removeQuietly (fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch(() => {})
}

/** How Windows and some network file systems say that a directory can't be synced. */
const noDirectorySync = new Set(['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF'])

/** Makes the names in `directory` durable, where the platform can; see fsync(2). */
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
