import type { Readable } from 'node:stream'
import { startCopy } from './copy-stream.ts'
import type { Runner } from './query.ts'

/** Takes one line of COPY text, its new line included. A promise holds the stream back until it settles. */
export type OnRow = (line: Uint8Array) => Promise<void> | undefined

/** How a COPY ended: what its reader refused it for, and what the database or the connection failed it for. Both, when the one follows the other. */
export interface CopyOutEnd { refusal?: { error: unknown }, failure?: { error: unknown } }

/**
 * Runs `COPY … TO STDOUT` and hands over each row: the server sends one CopyData message per row (manual, 55.2.6), and
 * postgres.js one chunk per message. Never rejects, and resolves when `onRow` has ended, too.
 *
 * When a row can't be taken, the statement is cancelled and the rest is drained, since postgres.js leaves the connection stuck when
 * such a stream is destroyed early.
 */
export async function readCopyOut (runner: Runner, text: string, onRow: OnRow, cancel: () => void): Promise<CopyOutEnd> {
  const ended: CopyOutEnd = {}
  let held: Promise<void> | undefined
  let rows: Readable | undefined
  await new Promise<void>((resolve) => {
    startCopy<Readable>(runner, text, {
      onOpen (stream) {
        rows = stream
        function refuse (error: unknown): void {
          ended.refusal = { error }
          stream.resume()
          cancel()
        }

        stream.on('data', (line: Uint8Array) => {
          if (ended.refusal !== undefined) return
          try {
            const taken = onRow(line)
            if (taken === undefined) return
            stream.pause()
            held = taken.then(() => { stream.resume() }, refuse)
          } catch (error) {
            refuse(error)
          }
        })
        stream.once('end', () => {
          askForMore(stream)
          resolve()
        })
      },
      // The rows are counted by who takes them
      onEnd () {},
      onError (error) {
        if (rows !== undefined) askForMore(rows)
        ended.failure = { error }
        resolve()
      }
    })
  })
  await held
  return ended
}

/**
 * postgres.js 3.4.9 pauses its socket when the stream is full, and resumes it when the stream asks for more. A stream whose last rows
 * came while it was held back never asks again, nor does one that has failed behind such rows, and the answer to the next statement is
 * never read: so it is asked for at the end. The tests "a COPY that is held back at its end" and "… when it fails" tell when that can go.
 */
function askForMore (stream: Readable): void {
  try {
    stream._read(0)
  } catch {
    // The socket is no more: the next statement tells
  }
}
