import type { Readable } from 'node:stream'
import type { TakeMessages } from './copy-messages.ts'
import { copySocketOf, type CopySocket } from './copy-socket.ts'
import { startCopy } from './copy-stream.ts'
import { resumeSocket, takePushedRows } from './internals.ts'
import type { Queryable } from './query.ts'

/** Reads the output of several COPY statements, one after the other. */
export interface CopyReader {
  /**
   * The statement with this index begins; those before it have ended. An error that this throws ends all statements.
   */
  begin: (index: number) => void
  /**
   * Gets one line of COPY text with its new line, as a range of a buffer that contains others, too. While a returned
   * promise is pending, no more is read from the server; rows that had arrived before are still passed.
   */
  row: (bytes: Buffer, start: number, end: number) => Promise<void> | undefined
  /** Gets rows instead of `row`, where they can be taken from the socket. */
  messages?: MessageReader | undefined
}

/** Reads CopyData messages, many at once, and finds the rows in them itself. */
export interface MessageReader {
  /**
   * Gets what has arrived: messages of which the first and the last one need not be complete, since the next call
   * continues the last one. Returns the position of the first byte that is not taken, which belongs to another message
   * or to an incomplete header, and a promise as that of `row`. If it throws, the connection is closed.
   */
  take: (bytes: Buffer, start: number, end: number) => { position: number, taken: Promise<void> | undefined }
  /** From now on, take() only finds where the rows end. */
  drop: () => void
}

/**
 * `readerError`: the error of the reader. `failure`: that of the database or the connection. Both when one caused the
 * other.
 */
export interface CopyOutEnd { readerError?: { error: unknown }, failure?: { error: unknown } }

/**
 * Runs `COPY … TO STDOUT` statements in one round trip (manual, 55.2.2.1, Multiple Statements in a Simple Query) and
 * passes each row to `reader`: the server sends one CopyData message for each row (55.2.6). Never rejects. Resolves
 * after the statements have ended and the last promise of `reader` has settled.
 *
 * When `reader` fails, the statements are cancelled and their remaining rows are read and dropped, because postgres.js
 * leaves the connection unusable when such a stream is destroyed early.
 */
export async function readCopyOut (
  queryable: Queryable, texts: string[], reader: CopyReader, cancel: () => void
): Promise<CopyOutEnd> {
  const reading = new CopyReading(reader, cancel)
  await new Promise<void>((resolve) => {
    startCopy<Readable>(queryable, texts.join(';'), {
      onOpen: (stream) => { reading.open(stream) },
      // The reader counts the rows
      onEnd () { resolve() },
      onError (error) {
        reading.ended.failure = { error }
        resolve()
      }
    })
  })
  await reading.close()
  return reading.ended
}

/** What is common to the statements of one readCopyOut(). */
class CopyReading {
  readonly ended: CopyOutEnd = {}
  readonly #reader: CopyReader
  readonly #cancel: () => void
  /** All promises of the reader. */
  #processed: Promise<void> = Promise.resolve()
  /** The pending promise of the reader. */
  #awaited: Promise<void> | undefined
  #stream: Readable | undefined
  #socket: CopySocket | undefined
  #begun = 0

  constructor (reader: CopyReader, cancel: () => void) {
    this.#reader = reader
    this.#cancel = cancel
  }

  /** Called for each statement. */
  open (stream: Readable): void {
    const take = this.#take.bind(this)
    this.#stream = stream
    // For connections whose socket does not pass the rows itself, as under TLS
    takePushedRows(stream, take)
    this.#socket = copySocketOf(stream)
    const takeMessages = this.#reader.messages && this.#takeMessages.bind(this, this.#reader.messages)
    this.#socket?.takeRows(takeMessages === undefined ? { take } : { takeMessages })
    // The first cancel request may have arrived too early
    if (this.ended.readerError !== undefined) this.#cancel()
    else this.#begin()
  }

  async close (): Promise<void> {
    this.#socket?.takeRows({})
    await this.#processed
  }

  #begin (): void {
    try {
      this.#reader.begin(this.#begun++)
    } catch (error) {
      this.#fail(error)
    }
  }

  #take (bytes: Buffer, start: number, end: number): boolean {
    if (this.ended.readerError !== undefined) return true
    try {
      return this.#await(this.#reader.row(bytes, start, end))
    } catch (error) {
      this.#fail(error)
      return true
    }
  }

  #takeMessages (reader: MessageReader, bytes: Buffer, start: number, end: number): ReturnType<TakeMessages> {
    try {
      const { position, taken } = reader.take(bytes, start, end)
      return { position, proceed: this.#await(taken) }
    } catch (error) {
      this.#fail(error)
      // Where the next message begins is not known
      this.#socket?.destroy()
      return { position: end, proceed: true }
    }
  }

  /** Returns false while a promise of the reader is pending. */
  #await (taken: Promise<void> | undefined): boolean {
    if (taken === undefined) return true
    // Most rows that arrive while reading is paused return the same promise
    if (taken !== this.#awaited) {
      const settled = taken.then(() => { this.#resume() }, (error: unknown) => { this.#fail(error) })
      this.#processed = Promise.all([this.#processed, settled]).then(() => {})
    }
    this.#awaited = taken
    return false
  }

  #resume (): void {
    this.#awaited = undefined
    try {
      if (this.#stream !== undefined) resumeSocket(this.#stream)
    } catch {
      // The socket is closed: the next statement reports that
    }
  }

  #fail (error: unknown): void {
    this.#resume()
    // A single request: each one takes a connection
    if (this.ended.readerError !== undefined) return
    this.ended.readerError = { error }
    this.#reader.messages?.drop()
    this.#cancel()
  }
}
