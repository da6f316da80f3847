import { deepStrictEqual } from 'node:assert/strict'
import type { BinaryColumn } from '../../lib/snapshot/codec/binary-encoders.ts'
import { ByteQueue } from '../../lib/snapshot/codec/byte-queue.ts'
import { createRowsToBinary } from '../../lib/snapshot/codec/rows-to-binary.ts'
import { cursorOver } from './transcode.ts'

export interface BinaryRows { bytes: Buffer, rows: number, stopped: string, rest: number }

const rowsToBinary = createRowsToBinary()

/** Transcodes a list of rows, without its opening bracket, that arrives in chunks of these sizes, repeated. */
export function toBinary (
  columns: BinaryColumn[], list: Buffer, sizes = [list.length], rowBytes = Infinity
): BinaryRows {
  const out = new ByteQueue()
  const cursor = cursorOver('')
  const written: Buffer[] = []
  let rows = 0
  if (rowsToBinary?.startTable(columns, rowBytes) !== true) throw new Error('there is no transcoder')
  for (let at = 0, index = 0; ; index++) {
    const chunk = list.subarray(at, at + (sizes[index % sizes.length] as number))
    at += chunk.length
    cursor.bytes = Buffer.concat([cursor.bytes.subarray(cursor.position), chunk])
    cursor.position = 0
    cursor.end = cursor.bytes.length
    let stopped: string
    do {
      stopped = rowsToBinary.take(cursor, out)
      rows += rowsToBinary.takeRows()
      written.push(...out.take().map((piece) => Buffer.from(piece)))
    } while (stopped === 'full')
    if (stopped !== 'moreNeeded' || chunk.length === 0) {
      return { bytes: Buffer.concat(written), rows, stopped, rest: cursor.end - cursor.position + list.length - at }
    }
  }
}

/** The binary form of one row; undefined if it is refused. It is the same for bytes that arrive one by one. */
export function rowToBinary (columns: BinaryColumn[], row: Buffer): Buffer | undefined {
  const list = Buffer.concat([Buffer.from('\n'), row, Buffer.from('\n]')])
  const whole = toBinary(columns, list)
  deepStrictEqual(toBinary(columns, list, [1]), whole)
  return whole.stopped === 'end' && whole.rest === 0 ? whole.bytes : undefined
}
