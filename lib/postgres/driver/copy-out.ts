import type { Readable } from 'node:stream'
import { copySocketOf, type CopySocket } from './copy-socket.ts'
import { startCopy } from './copy-stream.ts'
import { resumeSocket, takePushedRows } from './internals.ts'
import type { Queryable } from './query.ts'

/** Who reads what several COPY send, one behind the other. */
export interface CopyReader {
  /** The statement of this index begins; those before it have ended. What it throws ends them all. */
  begin: (index: number) => void
  /**
   * Takes one line of COPY text, its new line included, from where it lies among others. A promise holds the server back until it
   * settles; what had arrived by then still comes.
   */
  row: (bytes: Buffer, start: number, end: number) => Promise<void> | undefined
}

/** How it ended: what the reader refused it for, and what the database or the connection failed it for. Both, when the one follows the other. */
export interface CopyOutEnd { refusal?: { error: unknown }, failure?: { error: unknown } }

/**
 * Runs statements `COPY … TO STDOUT` in one round trip (manual, 55.2.2.1, Multiple Statements in a Simple Query) and hands over each row: the
 * server sends one CopyData message a row (55.2.6). Never rejects, and resolves when the last promise of `reader` has settled, too.
 *
 * When a row can't be taken, the statements are cancelled and the rest is drained, since postgres.js leaves the connection stuck when such
 * a stream is destroyed early.
 */
export async function readCopyOut (queryable: Queryable, texts: string[], reader: CopyReader, cancel: () => void): Promise<CopyOutEnd> {
  const ended: CopyOutEnd = {}
  let held: Promise<void> = Promise.resolve()
  let awaited: Promise<void> | undefined
  let stream: Readable | undefined
  let socket: CopySocket | undefined
  let begun = 0

  function open (opened: Readable): void {
    stream = opened
    // The stream's own machinery would make an event of each row. It is passed by where the socket does not give them anyway, as under TLS
    takePushedRows(stream, take)
    socket = copySocketOf(stream)
    socket?.takeRows(take)
    // The request to cancel may not have arrived
    if (ended.refusal !== undefined) cancel()
    else begin()
  }

  function begin (): void {
    try {
      reader.begin(begun++)
    } catch (error) {
      refuse(error)
    }
  }

  function take (bytes: Buffer, start: number, end: number): boolean {
    if (ended.refusal !== undefined) return true
    try {
      const taken = reader.row(bytes, start, end)
      if (taken === undefined) return true
      // What arrives while the server is held back mostly waits for the same
      if (taken !== awaited) held = Promise.all([held, taken.then(resume, refuse)]).then(() => {})
      awaited = taken
      return false
    } catch (error) {
      refuse(error)
      return true
    }
  }

  function resume (): void {
    awaited = undefined
    try {
      if (stream !== undefined) resumeSocket(stream)
    } catch {
      // The socket is no more: the next statement tells
    }
  }

  function refuse (error: unknown): void {
    resume()
    // One request is enough: each takes a connection
    if (ended.refusal !== undefined) return
    ended.refusal = { error }
    cancel()
  }

  await new Promise<void>((resolve) => {
    startCopy<Readable>(queryable, texts.join(';'), {
      onOpen: open,
      // The rows are counted by who takes them
      onEnd () { resolve() },
      onError (error) {
        ended.failure = { error }
        resolve()
      }
    })
  })
  socket?.takeRows()
  await held
  return ended
}
