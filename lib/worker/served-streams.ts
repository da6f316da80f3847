import type { Readable } from 'node:stream'

/** Streams of this thread, read by another one a chunk at a time. */
export interface ServedStreams {
  /** Opens one and gives its number. */
  open: () => Promise<number>
  /** The next bytes, in memory of their own; null at the end. Rejects with the error of the stream. */
  read: (stream: number) => Promise<Uint8Array | null>
  close: (stream: number) => void
  closeAll: () => void
}

export function createServedStreams (open: () => Promise<Readable>): ServedStreams {
  const streams: Array<{ stream: Readable, chunks: AsyncIterator<Uint8Array> }> = []
  let isClosed = false

  return {
    async open () {
      const stream = await open()
      // It is told to who reads next; before that nobody listens, and it would end the process
      stream.on('error', () => {})
      if (isClosed) stream.destroy()
      return streams.push({ stream, chunks: stream[Symbol.asyncIterator]() }) - 1
    },
    async read (number) {
      const next = await streams[number]?.chunks.next()
      // The message would take along all the memory that a piece of it belongs to
      return next === undefined || next.done === true ? null : new Uint8Array(next.value)
    },
    close (number) { streams[number]?.stream.destroy() },
    closeAll () {
      isClosed = true
      for (const { stream } of streams) stream.destroy()
    }
  }
}
