import { dirname } from 'node:path'
import { syncDirectory, type FileSystem } from './move-file.ts'

/**
 * Creates a directory and its missing parents. Syncs all of them, since a crash could lose a parent and the first
 * snapshot with it.
 */
export async function makeDirectory (fs: FileSystem, directory: string): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  const top = dirname(first)
  for (let path = directory; path !== top; path = dirname(path)) await syncDirectory(fs, dirname(path))
}
