import { ByteQueue } from '../../lib/snapshot/codec/byte-queue.ts'
import { JsonCursor } from '../../lib/snapshot/codec/json-cursor.ts'
import type { Stopped } from '../../lib/snapshot/codec/rows-to-copy.ts'

export interface RowsRead { copied: Buffer, rows: number, rest: number, stopped: Stopped }

interface Transcoder { take: (cursor: JsonCursor, out: ByteQueue) => Stopped, takeRows: () => number }

/**
 * Reads a list of rows, behind its opening bracket, from bytes that arrive in chunks of these sizes, repeated. `rest`
 * is the number of bytes that were not read.
 */
export function readInChunks (transcoder: Transcoder, list: Buffer, sizes: number[]): RowsRead {
  const out = new ByteQueue()
  const cursor = new JsonCursor()
  const copied: Buffer[] = []
  let rows = 0
  for (let at = 0, index = 0; ; index++) {
    const chunk = list.subarray(at, at + (sizes[index % sizes.length] as number))
    at += chunk.length
    cursor.bytes = Buffer.concat([cursor.bytes.subarray(cursor.position), chunk])
    cursor.position = 0
    cursor.end = cursor.bytes.length
    let stopped: Stopped
    do {
      stopped = transcoder.take(cursor, out)
      rows += transcoder.takeRows()
      if (stopped !== 'moreNeeded') copied.push(...out.take().map((piece) => Buffer.from(piece)))
    } while (stopped === 'full')
    const rest = cursor.end - cursor.position + list.length - at
    if (stopped !== 'moreNeeded' || chunk.length === 0) {
      return { copied: Buffer.concat([...copied, ...out.take()]), rows, rest, stopped }
    }
  }
}
