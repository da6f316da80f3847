import * as promises from 'node:fs/promises'
import type { FileSystem } from '../../lib/storage/move-file.ts'

/** An error as node:fs rejects with it. */
export const systemError = (code: string): Error => Object.assign(new Error(`${code}: test`), { code, syscall: 'test', errno: -1 })

/** The real file system, but for what `changes` puts in place. */
export const fileSystemWith = (changes: Partial<FileSystem>): FileSystem => ({ ...promises, ...changes })

/** For a function that fails with `code`. */
export const failing = (code: string) => async (): Promise<never> => { throw systemError(code) }

/** Every file or directory that is opened, and how often its handle was synced and closed. */
export function watchHandles (): { open: FileSystem['open'], handles: Array<{ path: string, synced: number, closed: number }> } {
  const handles: Array<{ path: string, synced: number, closed: number }> = []
  return {
    handles,
    async open (path, flags, mode) {
      const handle = await promises.open(path, flags, mode)
      const seen = { path: String(path), synced: 0, closed: 0 }
      const sync = handle.sync.bind(handle)
      handle.sync = async () => { seen.synced++; await sync() }
      // However it is closed: by close(), or by a stream
      ;(handle as unknown as NodeJS.EventEmitter).on('close', () => { seen.closed++ })
      handles.push(seen)
      return handle
    }
  }
}
