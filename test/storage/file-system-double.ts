import * as promises from 'node:fs/promises'
import type { FileSystem } from '../../lib/storage/move-file.ts'

/** An error such as node:fs rejects with. */
export const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: test`), { code, syscall: 'test', errno: -1 })

/** The real file system with the functions of `changes` replaced. */
export const fileSystemWith = (changes: Partial<FileSystem>): FileSystem => ({ ...promises, ...changes })

/** A function that fails with `code`. */
export const failing = (code: string) => async (): Promise<never> => { throw systemError(code) }

/** Records every file or directory that is opened, and how often its handle was synced and closed. */
export function watchHandles (): {
  open: FileSystem['open']
  handles: Array<{ path: string; synced: number; closed: number }>
} {
  const handles: Array<{ path: string; synced: number; closed: number }> = []
  return {
    handles,
    async open (path, flags, mode) {
      const handle = await promises.open(path, flags, mode)
      const seen = { path: String(path), synced: 0, closed: 0 }
      const sync = handle.sync.bind(handle)
      handle.sync = async () => {
        seen.synced++
        await sync()
      }
      // Emitted by close(), and when a stream closes the handle
      ;(handle as unknown as NodeJS.EventEmitter).on('close', () => {
        seen.closed++
      })
      handles.push(seen)
      return handle
    }
  }
}
