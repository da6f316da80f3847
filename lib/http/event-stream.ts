import { Readable } from 'node:stream'
import { Aborted } from '../errors.ts'
import type { BackupCalls } from '../service/backup-engine.ts'

/** Bounds of one event stream. */
export interface StreamLimits {
  /** Between two comments that show proxies and the client that the connection is alive. Milliseconds. */
  heartbeatMs: number
  /** After which it ends, so that the client authenticates again. Milliseconds. */
  lifetimeMs: number
  /** How much may wait for a client that does not read, in bytes. */
  bufferBytes: number
}

type Batch = Parameters<Parameters<BackupCalls['follow']>[0]['onBatch']>[0]

/** Server-sent events (HTML standard, 9.2) as the body of a response. */
export interface EventStream {
  body: Readable
  write: (batch: Batch) => void
  /** Sends what is buffered, and ends. */
  end: () => void
}

/** How soon a client reconnects, in milliseconds. Without it, browsers choose. */
const retryMs = 2000

export function createEventStream ({ heartbeatMs, lifetimeMs, bufferBytes }: StreamLimits): EventStream {
  const body = new Readable({ read () {} })
  let lastId = ''

  /** After the end or the loss of the client, nothing is written. */
  function push (text: string): void {
    if (body.destroyed || body.readableEnded || isEnding) return
    body.push(text)
    if (body.readableLength > bufferBytes) body.destroy(new Aborted('the reader of the events is too slow'))
  }

  let isEnding = false
  function end (): void {
    if (!isEnding && !body.destroyed) body.push(null)
    isEnding = true
  }

  const timers = [
    setInterval(() => { push(': still here\n\n') }, heartbeatMs).unref(),
    setTimeout(end, lifetimeMs).unref()
  ]
  body.once('close', () => { timers.forEach(clearInterval) })
  push(`retry: ${retryMs}\n\n`)

  return {
    body,
    write ({ events, position }) {
      events.forEach(({ name, data }, index) => {
        // A client that loses the connection in the middle of a batch must get the whole batch again
        if (index === events.length - 1) lastId = position ?? lastId
        push(`id: ${lastId}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
      })
      // An id without data is no event, and clients remember it
      if (events.length === 0 && position !== null) {
        lastId = position
        push(`id: ${lastId}\n\n`)
      }
    },
    end
  }
}
