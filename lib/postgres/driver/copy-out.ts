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
   * Called after begin(). While a returned promise is pending, no row of the statement is passed, and no more is read
   * from the server. If it throws or rejects, all statements end.
   */
  waitForTurn?: (index: number) => Promise<void> | undefined
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
  /** The promise of waitForTurn() is pending. */
  #isHeld = false
  /**
   * What has arrived and follows then: beginnings of statements, and rows where the socket does not keep them itself.
   */
  #held: Array<() => void> = []

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
    // After an error #take() drops the rows, and another connection may use the reader of messages
    const isReading = takeMessages !== undefined && this.ended.readerError === undefined
    this.#socket?.takeRows(isReading ? { takeMessages } : { take })
    if (!this.#isHeld) return this.#begin()
    this.#held.push(() => { this.#begin() })
    // copySocketOf() has resumed it
    this.#socket?.hold()
  }

  async close (): Promise<void> {
    this.#socket?.takeRows({})
    let processed
    do {
      processed = this.#processed
      await processed
    } while (processed !== this.#processed)
  }

  #begin (): void {
    // The first cancel request may have arrived too early
    if (this.ended.readerError !== undefined) return this.#cancel()
    try {
      const index = this.#begun++
      this.#reader.begin(index)
      const turn = this.#reader.waitForTurn?.(index)
      if (turn !== undefined) this.#hold(turn)
    } catch (error) {
      this.#fail(error)
    }
  }

  #hold (turn: Promise<void>): void {
    this.#isHeld = true
    this.#socket?.hold()
    const settled = turn.then(() => { this.#release() }, (error: unknown) => {
      // No message is incomplete here
      this.#socket?.takeRows({ take: this.#take.bind(this) })
      this.#fail(error)
      this.#release()
    })
    this.#processed = Promise.all([this.#processed, settled]).then(() => {})
  }

  #release (): void {
    this.#isHeld = false
    // One of them may be the beginning of the next statement, which waits for its own turn
    while (!this.#isHeld && this.#held.length > 0) this.#held.shift()?.()
    if (!this.#isHeld) this.#socket?.release()
    if (!this.#isHeld && this.#awaited === undefined) this.#resume()
  }

  #take (bytes: Buffer, start: number, end: number): boolean {
    if (this.ended.readerError !== undefined) return true
    if (this.#isHeld) {
      this.#held.push(() => { this.#take(bytes, start, end) })
      return false
    }
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
    // It was a promise of the statement before, and #release() resumes
    if (this.#isHeld) return
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
