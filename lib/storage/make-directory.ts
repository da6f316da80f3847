import { dirname } from 'node:path'
import { syncDirectory, type FileSystem } from './move-file.ts'

/** Also the parents that are made on the way are synced, or the first snapshot might be lost with them. */
export async function makeDirectory (fs: FileSystem, directory: string): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  const top = dirname(first)
  for (let path = directory; path !== top; path = dirname(path)) await syncDirectory(fs, dirname(path))
}
