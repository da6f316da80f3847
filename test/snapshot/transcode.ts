import { deepStrictEqual } from 'node:assert/strict'
import type { EncodedColumn, Encoding } from '../../lib/snapshot/codec/column-encoding.ts'
import { ByteQueue } from '../../lib/snapshot/codec/byte-queue.ts'
import { createCopyToJson } from '../../lib/snapshot/codec/copy-to-json.ts'
import { JsonCursor } from '../../lib/snapshot/codec/json-cursor.ts'
import { createJsonToCopy } from '../../lib/snapshot/codec/json-to-copy.ts'

export const column = (name: string, encoding: Encoding, delimiter = ','): EncodedColumn => ({
  name,
  encoding,
  delimiter
})

export function cursorOver (json: string | Uint8Array): JsonCursor {
  const cursor = new JsonCursor()
  cursor.bytes = Buffer.from(json)
  cursor.end = cursor.bytes.length
  return cursor
}

/**
 * Transcodes a line of COPY text. Checks that the result is the same for a line alone, whose last bytes are not a
 * complete word, and for one among other bytes.
 */
export function toJson (columns: EncodedColumn[], line: string | Uint8Array): Buffer {
  const transcode = createCopyToJson(columns)
  const bytes = Buffer.from(line)
  const alone = new ByteQueue()
  transcode(bytes, 0, bytes.length, alone)
  const json = Buffer.concat(alone.take())
  const among = new ByteQueue()
  among.append(Buffer.from('<'))
  transcode(Buffer.concat([Buffer.from('1\t2\n'), bytes, Buffer.from('x"\\\ty')]), 4, 4 + bytes.length, among)
  deepStrictEqual(Buffer.concat(among.take()).subarray(1), json)
  return json
}

/** Transcodes a row; the columns named in `skip` are discarded. Throws the errors of the transcoder. */
export function toCopy (columns: EncodedColumn[], row: string | Uint8Array, skip: string[] = []): Buffer {
  const out = new ByteQueue()
  const cursor = cursorOver(row)
  const isWhole = createJsonToCopy(columns.map((column) => ({ ...column, skip: skip.includes(column.name) })))(
    cursor,
    out
  )
  if (!isWhole) throw new Error('the row is incomplete')
  if (cursor.position !== cursor.end) throw new Error(`the row ends ${cursor.end - cursor.position} bytes early`)
  return Buffer.concat(out.take())
}
