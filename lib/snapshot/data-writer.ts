import type { FileHandle } from 'node:fs/promises'
import { onStorage, writeAll } from '../storage/spool-file.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { createSectionHasher, type Section } from './hash-sections.ts'

/**
 * After so many bytes, the system is asked to write them to the disk while the next rows arrive. Otherwise it would
 * write most of a file only when its end waits for that.
 */
const syncedBytes = 32 * 1024 * 1024

/** Writes the data part of a snapshot from a queue to the file, and hashes the rows of each table. */
export interface DataWriter {
  /** Takes the bytes that are to be written. */
  queue: ByteQueue
  /** The position in the file after the last byte written. */
  readonly position: number
  /**
   * Starts to write what is in the queue. While an earlier write is in progress, does nothing and returns that one's
   * promise: wait for it, since the disk is slower than the rows.
   */
  startFlush: () => Promise<void> | undefined
  /** What follows in the queue belongs to the next section, or no longer to the current one. */
  cut: () => void
  /** Writes the rest, and returns the sections. */
  finish: () => Promise<Section[]>
  /** Resolves when no write and no synchronization is in progress, whether or not it failed. */
  idle: () => Promise<void>
}

/** @param start position of the first byte of the data part */
export function createDataWriter (file: FileHandle, start: number): DataWriter {
  const queue = new ByteQueue()
  const hasher = createSectionHasher(start)
  let position = start
  /** The position in the file of the first byte in the queue. */
  let queued = start
  /**
   * The write in progress, while the queue fills again. After a failure the rejected promise stays, so that nothing
   * else is written.
   */
  let writing: Promise<void> | undefined
  const sync = createBackgroundSync(file, start)

  async function flush (): Promise<void> {
    const pieces = queue.take()
    for (const piece of pieces) {
      hasher.update(piece)
      queued += piece.length
    }
    await onStorage('write the snapshot', async () => {
      for (const piece of pieces) position += await writeAll(file, piece, position)
    })
    queue.giveBack(pieces)
    sync.advance(position)
  }

  return {
    queue,
    get position () { return position },
    startFlush () {
      if (writing !== undefined) return writing
      writing = flush().then(() => { writing = undefined })
      // The next call of startFlush() or finish() reports the failure
      writing.catch(() => {})
      return undefined
    },
    cut () { hasher.cut(queued + queue.size) },
    async finish () {
      await writing
      await flush()
      await sync.finish()
      return hasher.sections
    },
    async idle () { await Promise.allSettled([writing, sync.finish()]) }
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
