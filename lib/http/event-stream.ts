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

/** The text of server-sent events, with a heartbeat. */
export interface EventBody {
  body: Readable
  /** After the end or the loss of the client, nothing is written. */
  push: (text: string) => void
  end: () => void
}

export function createEventBody (heartbeatMs: number): EventBody {
  const body = new Readable({ read () {} })
  let isEnding = false

  function push (text: string): void {
    if (!body.destroyed && !isEnding) body.push(text)
  }

  const timer = setInterval(() => { push(': still here\n\n') }, heartbeatMs).unref()
  body.once('close', () => { clearInterval(timer) })
  return {
    body,
    push,
    end () {
      if (!isEnding && !body.destroyed) body.push(null)
      isEnding = true
    }
  }
}

export function createEventStream ({ heartbeatMs, lifetimeMs, bufferBytes }: StreamLimits): EventStream {
  const { body, push: pushText, end } = createEventBody(heartbeatMs)
  let lastId = ''

  function push (text: string): void {
    pushText(text)
    if (body.readableLength > bufferBytes) body.destroy(new Aborted('the reader of the events is too slow'))
  }

  const timer = setTimeout(end, lifetimeMs).unref()
  body.once('close', () => { clearTimeout(timer) })
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
