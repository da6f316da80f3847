import type { Writable } from 'node:stream'
import { startCopy } from './copy-stream.ts'
import { endWithoutCopyFail } from './internals.ts'
import type { Queryable } from './query.ts'

/** A `COPY … FROM STDIN` that is under way. */
export interface CopyIn {
  /** Resolves when the next chunk may come; chunks need not end at row ends. Rejects with the server's error. */
  write: (chunk: Uint8Array) => Promise<void>
  /** Ends it and gives the number of rows stored. */
  end: () => Promise<number>
  /** Makes the server fail it (CopyFail), and resolves with the error when it has. */
  abort: () => Promise<unknown>
}

/** Starts `COPY … FROM STDIN`; resolves when the server takes rows. */
export async function openCopyIn (queryable: Queryable, text: string): Promise<CopyIn> {
  return await new Promise((_resolve, _reject) => {
    const outcome = new Promise<{ count: number }>((resolve, reject) => {
      startCopy<Writable>(queryable, text, {
        onOpen: (stream) => { _resolve(createCopyIn(stream, outcome)) },
        onEnd: resolve,
        onError: reject
      })
    })
    // Before the stream is there it is told by this, later by write() or end(), whichever comes next
    outcome.catch(_reject)
  })
}

function createCopyIn (stream: Writable, outcome: Promise<{ count: number }>): CopyIn {
  let sent: Promise<unknown> = Promise.resolve()
  return {
    async write (chunk) {
      // One chunk is on its way while the next one is made. It arrives also when the COPY has failed: then nobody reads it
      await sent
      if (stream.destroyed) await outcome
      sent = new Promise<void>((resolve) => { stream.write(chunk, () => { resolve() }) })
    },
    async end () {
      endWithoutCopyFail(stream)
      stream.end()
      return (await outcome).count
    },
    async abort () {
      stream.destroy(new Error('aborted'))
      return await outcome.catch((error: unknown) => error)
    }
  }
}
