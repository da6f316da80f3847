import type { Readable } from 'node:stream'
import type { ByteRange } from '../../types/index.ts'

/** Streams of this thread that another thread reads, one chunk at a time. */
export interface SharedStreams {
  /** Opens a stream and returns its number. */
  open: (range?: ByteRange) => Promise<number>
  /**
   * Returns the next bytes, in memory that can be transferred; null at the end. Rejects with the error of the stream.
   */
  read: (stream: number) => Promise<Uint8Array | null>
  close: (stream: number) => void
  closeAll: () => void
}

export function createSharedStreams (open: (range?: ByteRange) => Promise<Readable>): SharedStreams {
  const streams: Array<{ stream: Readable, chunks: AsyncIterator<Uint8Array> }> = []
  let isClosed = false

  return {
    async open (range) {
      const stream = await open(range)
      // The next read() reports the error. Without a listener, an error before that read would end the process
      stream.on('error', () => {})
      if (isClosed) stream.destroy()
      return streams.push({ stream, chunks: stream[Symbol.asyncIterator]() }) - 1
    },
    async read (number) {
      const next = await streams[number]?.chunks.next()
      // A chunk may be a part of a larger buffer, and a transfer always moves a complete buffer
      return next === undefined || next.done === true ? null : new Uint8Array(next.value)
    },
    close (number) { streams[number]?.stream.destroy() },
    closeAll () {
      isClosed = true
      for (const { stream } of streams) stream.destroy()
    }
  }
}
