import type { ByteQueue } from './byte-queue.ts'
import { type JsonCursor, SnapshotSyntaxError } from './json-cursor.ts'
import { readStringBytes } from './json-string-to-copy.ts'

const QUOTE = 0x22
const nonFinite = ['NaN', 'Infinity', '-Infinity'].map((word) => Buffer.from(word))

/** Copies the number at the cursor without changing its digits. NaN and the infinities are strings in JSON. */
export function writeNumber (cursor: JsonCursor, out: ByteQueue): void {
  if (cursor.peek() === QUOTE) {
    out.append(readNonFinite(cursor))
    return
  }
  const start = cursor.position
  cursor.skipNumber()
  out.appendRange(cursor.bytes, start, cursor.position)
}

function readNonFinite (cursor: JsonCursor): Uint8Array {
  const text = readStringBytes(cursor)
  if (!nonFinite.some((word) => word.equals(text))) throw new SnapshotSyntaxError('a number was expected')
  return text
}
