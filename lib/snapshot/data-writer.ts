import type { ByteSink } from '../pipeline/byte-sink.ts'
import { ByteQueue } from './codec/byte-queue.ts'
import { createSectionHasher, type Section } from './hash-sections.ts'

/** Passes the data part of a snapshot from a queue to a sink, and hashes the rows of each table. */
export interface DataWriter {
  /** Takes the bytes that are to be written. */
  queue: ByteQueue
  /** The position in the file, before any compression, after the last byte written. */
  readonly position: number
  /**
   * Starts to write what is in the queue. While an earlier write is in progress, does nothing and returns that one's
   * promise: wait for it, since the sink is slower than the rows.
   */
  startFlush: () => Promise<void> | undefined
  /** What follows in the queue belongs to the next section, or no longer to the current one. */
  cut: () => void
  /** Writes the rest, and returns the sections. */
  finish: () => Promise<Section[]>
  /** Resolves when no write is in progress, whether or not it failed. */
  idle: () => Promise<void>
}

/** @param start position of the first byte of the data part */
export function createDataWriter (sink: ByteSink, start: number): DataWriter {
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

  async function flush (): Promise<void> {
    const pieces = queue.take()
    for (const piece of pieces) {
      hasher.update(piece)
      queued += piece.length
    }
    await sink.write(pieces)
    position = queued
    queue.giveBack(pieces)
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
      return hasher.sections
    },
    async idle () { await Promise.allSettled([writing]) }
  }
}
