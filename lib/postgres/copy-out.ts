import type { Readable } from 'node:stream'
import type { Runner } from './query.ts'

/** Takes one line of COPY text, its new line included. A promise holds the stream back until it settles. */
export type OnRow = (line: Uint8Array) => Promise<void> | undefined

/**
 * Runs `COPY … TO STDOUT` and hands over each row: the server sends one CopyData message per row (manual, 55.2.6), and
 * postgres.js one chunk per message.
 *
 * When a row can't be taken, the statement is cancelled and the rest is drained, since postgres.js leaves the connection stuck when
 * such a stream is destroyed early.
 *
 * postgres.js 3.4.9 pauses its socket when the stream is full, and resumes it when the stream asks for more. A stream whose last rows
 * came while it was held back never asks again, and the answer to the next statement is never read: so it is asked for at the
 * end. The test "a COPY that is held back at its end" tells when that can go.
 */
export async function readCopyOut (runner: Runner, text: string, onRow: OnRow, cancel: () => Promise<void>): Promise<void> {
  const stream: Readable = await runner.unsafe(text).readable()
  await new Promise<void>((resolve, reject) => {
    let failure: { error: unknown } | undefined

    function fail (error: unknown): void {
      failure ??= { error }
      stream.resume()
      cancel().catch(() => {})
    }

    stream.on('data', (line: Uint8Array) => {
      if (failure !== undefined) return
      try {
        const held = onRow(line)
        if (held === undefined) return
        stream.pause()
        held.then(() => stream.resume(), fail)
      } catch (error) {
        fail(error)
      }
    })
    stream.once('end', () => {
      stream._read(0)
      failure === undefined ? resolve() : reject(failure.error)
    })
    stream.once('error', (error) => { reject(failure === undefined ? error : failure.error) })
  })
}
