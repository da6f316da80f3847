import type { Writable } from 'node:stream'
import { startCopy } from './copy-stream.ts'
import { endWithoutCopyFail } from './internals.ts'
import type { Queryable } from './query.ts'

/** A running `COPY … FROM STDIN`. */
export interface CopyIn {
  /** Resolves when the next chunk may follow; chunks need not end at row ends. Rejects with the server's error. */
  write: (chunk: Uint8Array) => Promise<void>
  /** Ends the COPY and returns the number of stored rows. */
  end: () => Promise<number>
  /** Makes the server fail the COPY (CopyFail). Resolves with the error after that. */
  abort: () => Promise<unknown>
}

/** Starts `COPY … FROM STDIN`; resolves when the server accepts rows. */
export async function openCopyIn (queryable: Queryable, text: string): Promise<CopyIn> {
  return await new Promise((_resolve, _reject) => {
    const result = new Promise<{ count: number }>((resolve, reject) => {
      startCopy<Writable>(queryable, text, {
        onOpen: (stream) => { _resolve(createCopyIn(stream, result)) },
        onEnd: resolve,
        onError: reject
      })
    })
    // Reports an error before the stream exists; later ones are reported by the next call of write() or end()
    result.catch(_reject)
  })
}

function createCopyIn (stream: Writable, result: Promise<{ count: number }>): CopyIn {
  let sent: Promise<unknown> = Promise.resolve()
  return {
    async write (chunk) {
      // One chunk is being sent while the caller creates the next one. A chunk counts as sent also after the COPY has
      // failed
      await sent
      if (stream.destroyed) await result
      sent = new Promise<void>((resolve) => { stream.write(chunk, () => { resolve() }) })
    },
    async end () {
      endWithoutCopyFail(stream)
      stream.end()
      return (await result).count
    },
    async abort () {
      stream.destroy(new Error('aborted'))
      return await result.catch((error: unknown) => error)
    }
  }
}
