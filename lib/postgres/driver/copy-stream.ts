import { type Readable, Stream, type Writable } from 'node:stream'
import type { Queryable } from './query.ts'

export interface CopyEvents<CopyStream> {
  /** The server is ready; once for each COPY of the text. What the stream emits is to be listened to by the time this returns. */
  onOpen: (stream: CopyStream) => void
  /** All has ended; the count is that of the first statement. */
  onEnd: (result: { count: number }) => void
  /** It failed, at any time. */
  onError: (error: unknown) => void
}

/** What postgres.js calls: `resolve` with each stream and once more with the result, or `reject`. */
interface Settlable { resolve: (value: unknown) => void, reject: (error: unknown) => void }

/**
 * Starts a COPY from or to the client.
 *
 * A query of postgres.js 3.4.9 is a promise, which settles once: with the stream. An error that comes behind it is lost (porsager/postgres#1173), or
 * ends the process: when it arrives with the answer that opens the stream, the stream emits it before anybody who has awaited it
 * can listen. The query's own `resolve` and `reject` are properties, so they are replaced. The tests "a duplicate key" and "an error that
 * arrives with the first row" tell when that is mended.
 *
 * A query whose connection died is resolved once more, when its successor is ready: that means nothing.
 */
export function startCopy<CopyStream extends Readable | Writable> (queryable: Queryable, text: string, { onOpen, onEnd, onError }: CopyEvents<CopyStream>): void {
  const query = queryable.unsafe(text)
  let state: 'sent' | 'open' | 'failed' = 'sent'
  const settlable: Settlable = {
    resolve (value) {
      if (state === 'failed') return
      if (value instanceof Stream) {
        state = 'open'
        // Told by onError()
        value.on('error', () => {})
        onOpen(value as CopyStream)
      } else if (state === 'open') {
        onEnd(value as { count: number })
      }
    },
    reject (error) {
      state = 'failed'
      onError(error)
    }
  }
  Object.assign(query, settlable)
  query.execute()
}
