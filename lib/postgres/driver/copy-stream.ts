import { type Readable, Stream, type Writable } from 'node:stream'
import { replaceSettlers } from './internals.ts'
import type { Queryable } from './query.ts'

export interface CopyEvents<CopyStream> {
  /** The server is ready; called once for each COPY of the text. Listeners must be added before this returns. */
  onOpen: (stream: CopyStream) => void
  /** All statements have ended; `count` is that of the first one. */
  onEnd: (result: { count: number }) => void
  /** It failed, before or after it was opened. */
  onError: (error: unknown) => void
}

/**
 * Starts a COPY from or to the client.
 *
 * postgres.js 3.4.9 resolves a query whose connection was lost once more, when the next connection is ready. That call
 * has no meaning and is ignored.
 */
export function startCopy<CopyStream extends Readable | Writable> (
  queryable: Queryable, text: string, { onOpen, onEnd, onError }: CopyEvents<CopyStream>
): void {
  const query = queryable.unsafe(text)
  let state: 'sent' | 'open' | 'failed' = 'sent'
  replaceSettlers(query, {
    resolve (value) {
      if (state === 'failed') return
      if (value instanceof Stream) {
        state = 'open'
        // onError() reports it
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
