import { deepStrictEqual } from 'node:assert/strict'
import type { BinaryColumn } from '../../lib/snapshot/codec/binary-encoders.ts'
import { createRowsToBinary } from '../../lib/snapshot/codec/rows-to-binary.ts'
import { readInChunks, type RowsRead } from './read-in-chunks.ts'

const rowsToBinary = createRowsToBinary()

/** Transcodes a list of rows, without its opening bracket, that arrives in chunks of these sizes, repeated. */
export function toBinary (
  columns: BinaryColumn[], list: Buffer, sizes = [list.length], rowBytes = Infinity
): RowsRead {
  if (rowsToBinary?.startTable(columns, rowBytes) !== true) throw new Error('there is no transcoder')
  return readInChunks(rowsToBinary, list, sizes)
}

/** The binary form of one row; undefined if it is refused. It is the same for bytes that arrive one by one. */
export function rowToBinary (columns: BinaryColumn[], row: Buffer): Buffer | undefined {
  const list = Buffer.concat([Buffer.from('\n'), row, Buffer.from('\n]')])
  const whole = toBinary(columns, list)
  deepStrictEqual(toBinary(columns, list, [1]), whole)
  return whole.stopped === 'end' && whole.rest === 0 ? whole.copied : undefined
}
