import { type Readable, Stream, type Writable } from 'node:stream'
import { replaceSettlers } from './internals.ts'
import type { Queryable } from './query.ts'

export interface CopyEvents<CopyStream> {
  /** The server is ready; once for each COPY of the text. What the stream emits is to be listened to by the time this returns. */
  onOpen: (stream: CopyStream) => void
  /** All has ended; the count is that of the first statement. */
  onEnd: (result: { count: number }) => void
  /** It failed, at any time. */
  onError: (error: unknown) => void
}

/**
 * Starts a COPY from or to the client.
 *
 * A query whose connection died is resolved once more, when its successor is ready: that means nothing.
 */
export function startCopy<CopyStream extends Readable | Writable> (queryable: Queryable, text: string, { onOpen, onEnd, onError }: CopyEvents<CopyStream>): void {
  const query = queryable.unsafe(text)
  let state: 'sent' | 'open' | 'failed' = 'sent'
  replaceSettlers(query, {
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
  })
  query.execute()
}
