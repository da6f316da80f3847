import { deepStrictEqual } from 'node:assert/strict'
import type { EncodedColumn, Encoding } from '../../lib/snapshot/codec/column-encoding.ts'
import { ByteQueue } from '../../lib/snapshot/codec/byte-queue.ts'
import { createCopyToJson } from '../../lib/snapshot/codec/copy-to-json.ts'
import { JsonCursor } from '../../lib/snapshot/codec/json-cursor.ts'
import { createJsonToCopy } from '../../lib/snapshot/codec/json-to-copy.ts'

export const column = (name: string, encoding: Encoding, delimiter = ','): EncodedColumn => ({ name, encoding, delimiter })

export function cursorOver (json: string | Uint8Array): JsonCursor {
  const cursor = new JsonCursor()
  cursor.bytes = Buffer.from(json)
  cursor.end = cursor.bytes.length
  return cursor
}

/**
 * Of a line of COPY text. The same must come out wherever the line lies: by itself, so that its last bytes are no whole word, and among others.
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

/** Of a row; `skip` names columns that have no place to go to. Throws what the transcoder throws. */
export function toCopy (columns: EncodedColumn[], row: string | Uint8Array, skip: string[] = []): Buffer {
  const out = new ByteQueue()
  const cursor = cursorOver(row)
  const isWhole = createJsonToCopy(columns.map((column) => ({ ...column, skip: skip.includes(column.name) })))(cursor, out)
  if (!isWhole) throw new Error('the row is incomplete')
  if (cursor.position !== cursor.end) throw new Error(`the row ends ${cursor.end - cursor.position} bytes early`)
  return Buffer.concat(out.take())
}
