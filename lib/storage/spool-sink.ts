import type { FileHandle } from 'node:fs/promises'
import type { ByteSink } from '../pipeline/byte-sink.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from './spool-file.ts'

/**
 * After so many bytes, the system is asked to write them to the disk while the next ones arrive. Otherwise it would
 * write most of a file only when its end waits for that.
 */
const syncedBytes = 32 * 1024 * 1024

/**
 * A sink that writes a spool file. The head is written at its beginning in the end. Rejects with
 * FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function openSpoolSink (path: string, headSize: number): Promise<ByteSink> {
  const file = await createSpoolFile(path)
  const sync = createBackgroundSync(file, headSize)
  let position = headSize
  let writing: Promise<void> | undefined

  async function writePieces (pieces: Uint8Array[]): Promise<void> {
    await onStorage('write the snapshot', async () => {
      for (const piece of pieces) position += await writeAll(file, piece, position)
    })
    sync.advance(position)
  }

  const idle = async (): Promise<void> => { await Promise.allSettled([writing, sync.finish()]) }

  return {
    get storedBytes () { return position },
    async write (pieces) {
      writing = writePieces(pieces)
      await writing
    },
    async finish (head) {
      await sync.finish()
      await onStorage('finish the snapshot', async () => {
        await writeAll(file, head, 0)
        await file.sync()
        await file.close()
      })
    },
    idle,
    async discard () {
      await idle()
      await discardSpoolFile(file, path)
    }
  }
}

interface BackgroundSync {
  /** Called after a write, with the position after it. */
  advance: (position: number) => void
  /** Resolves when no synchronization is in progress. Rejects if one has failed. */
  finish: () => Promise<void>
}

function createBackgroundSync (file: FileHandle, start: number): BackgroundSync {
  /** The position up to which the file was synchronized, or is. */
  let synced = start
  /** The synchronization in progress. A failure stays, since the system reports it only once (fsync(2)). */
  let syncing: Promise<void> | undefined
  return {
    advance (position) {
      if (syncing !== undefined || position - synced < syncedBytes) return
      synced = position
      syncing = onStorage('write the snapshot', async () => { await file.datasync() })
        .then(() => { syncing = undefined })
      syncing.catch(() => {})
    },
    async finish () { await syncing }
  }
}
