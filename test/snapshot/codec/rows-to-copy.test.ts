import { deepStrictEqual } from 'node:assert/strict'
import t from 'tap'
import { ByteQueue } from '../../../lib/snapshot/codec/byte-queue.ts'
import type { EncodedColumn } from '../../../lib/snapshot/codec/column-encoding.ts'
import { Incomplete } from '../../../lib/snapshot/codec/json-cursor.ts'
import { createJsonToCopy } from '../../../lib/snapshot/codec/json-to-copy.ts'
import { createRowsToCopy, type RowsToCopy, type Stopped } from '../../../lib/snapshot/codec/rows-to-copy.ts'
import { acceptSeparator } from '../../../lib/snapshot/separator.ts'
import fc from '../../support/fast-check.ts'
import { lineOf, table } from '../arbitrary-table.ts'
import { damage, damaged } from '../damage.ts'
import { readInChunks, type RowsRead } from '../read-in-chunks.ts'
import { column, cursorOver, toJson } from '../transcode.ts'

const CLOSE_BRACKET = 0x5d

function createTranscoder (): RowsToCopy {
  const transcoder = createRowsToCopy()
  if (transcoder === undefined) throw new Error('this Node.js has no WebAssembly with SIMD')
  return transcoder
}
const transcoder = createTranscoder()

/** Reads a list behind its opening bracket, from bytes that arrive in chunks of these sizes, repeated. */
function readList (
  columns: EncodedColumn[], list: Buffer, sizes = [list.length], skip: string[] = [], rowBytes = Infinity
): RowsRead {
  transcoder.startTable(columns.map((column) => ({ ...column, skip: skip.includes(column.name) })), rowBytes)
  return readInChunks(transcoder, list, sizes)
}

/** What the transcoder in TypeScript reads. Rows in front of one that it refuses are read. */
function expected (columns: EncodedColumn[], list: Buffer, skip: string[] = []): RowsRead {
  const out = new ByteQueue()
  const cursor = cursorOver(list)
  const transcode = createJsonToCopy(columns.map((column) => ({ ...column, skip: skip.includes(column.name) })))
  let rows = 0
  let stopped: Stopped = 'moreNeeded'
  let [mark, position] = [out.mark(), 0]
  try {
    while (stopped !== 'end') {
      cursor.skipSpace()
      mark = out.mark()
      position = cursor.position
      if (!transcode(cursor, out)) break
      if (!acceptSeparator(cursor, CLOSE_BRACKET, '')) stopped = 'end'
      rows++
    }
  } catch (error) {
    if (!(error instanceof Incomplete)) stopped = 'refused'
  }
  if (stopped !== 'end') {
    out.reset(mark)
    cursor.position = position
  }
  return { copied: Buffer.concat(out.take()), rows, rest: cursor.end - cursor.position, stopped }
}

const listOf = (rows: Array<string | Buffer>): Buffer =>
  Buffer.concat(rows.flatMap((row, index) => [Buffer.from(index === 0 ? '\n' : ',\n'), Buffer.from(row)])
    .concat(Buffer.from('\n]')))

const chunkSizes = fc.oneof(
  fc.constantFrom<number[]>([1], [7], [61], [1000]),
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })
)

t.test('rows that the writer wrote become what the transcoder in TypeScript makes of them', async (t) => {
  const skips = fc.array(fc.nat(5), { maxLength: 3 })
  const property = fc.property(table, chunkSizes, skips, ({ columns, rows }, sizes, skipped) => {
    const list = listOf(rows.map((row) => toJson(columns, lineOf(row))))
    const skip = skipped.flatMap((index) => columns[index]?.name ?? [])
    const wanted = expected(columns, list, skip)
    deepStrictEqual(wanted, { copied: wanted.copied, rows: rows.length, rest: 0, stopped: 'end' })
    deepStrictEqual(readList(columns, list, undefined, skip), wanted)
    deepStrictEqual(readList(columns, list, sizes, skip), wanted)
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 500 }) })
})

/**
 * Refuses a row that is not as the writer formats it, valid or not, and reads all rows before it. Everything else is
 * read as the transcoder in TypeScript reads it.
 */
function compareDamaged (columns: EncodedColumn[], list: Buffer, sizes: number[]): Stopped {
  const wanted = expected(columns, list)
  const read = readList(columns, list, sizes)
  if (read.stopped !== 'refused') {
    // Behind it there may be a part of a row
    const copied = read.stopped === 'end' ? read.copied : read.copied.subarray(0, wanted.copied.length)
    deepStrictEqual({ ...read, copied }, wanted)
    return read.stopped
  }
  const consumed = list.subarray(0, list.length - read.rest)
  const closed = Buffer.from(`${consumed.toString('latin1').trimEnd().replace(/,$/, '')}]`, 'latin1')
  deepStrictEqual(read, { ...expected(columns, closed), rest: read.rest, stopped: 'refused' })
  return 'refused'
}

t.test('damaged rows are refused, or read as the transcoder in TypeScript reads them', async (t) => {
  const seen = { end: 0, full: 0, moreNeeded: 0, refused: 0 }
  const property = fc.property(
    table, fc.array(damage, { minLength: 1, maxLength: 3 }), chunkSizes,
    ({ columns, rows }, damages, sizes) => {
      const list = damaged(listOf(rows.map((row) => toJson(columns, lineOf(row)))), damages)
      const stopped = compareDamaged(columns, list, [list.length || 1])
      deepStrictEqual(compareDamaged(columns, list, sizes), stopped)
      seen[stopped]++
    }
  )
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 1000 }) })
  t.ok(Math.min(seen.end, seen.moreNeeded, seen.refused) > 10, JSON.stringify(seen))
})

t.test('every special character at every position of every length is translated', async (t) => {
  const lengths = [0, 1, 2, 3, 4, 13, 14, 15, 16, 17, 18, 31, 32, 33, 63, 64, 65, 127, 128, 129]
  const specials = ['"', '\\', '\t', '\v', '\x1f', '/', 'é', '😀', ',', '}', ' ', 'x']
  for (const encoding of ['text', 'text[]', 'jsonb'] as const) {
    const columns = [column('c', encoding), column('d', 'text')]
    const rows = specials.flatMap((special) => lengths.flatMap((length) =>
      [0, 1, length >> 1, length - 2, length - 1, length].filter((at) => at >= 0).flatMap((at) => {
        const text = JSON.stringify('x'.repeat(at) + special + 'y'.repeat(Math.max(0, length - at)))
        const respelled = text.replaceAll(/[/é\v]|😀/gu, (character) => character === '/'
          ? '\\/'
          : Array.from({ length: character.length }, (_, index) =>
            `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''))
        return [text, respelled].map((value) => `{"c":${encoding === 'text[]' ? `[${value}]` : value},"d":""}`)
      })))
    const list = listOf(rows)
    const wanted = expected(columns, list)
    t.match(wanted, { rows: rows.length, stopped: 'end' })
    for (const sizes of [[list.length], [16], [13, 29], [1]]) {
      t.strictSame(readList(columns, list, sizes), wanted, `${encoding} in chunks of ${sizes.join()}`)
    }
  }
})

/** Values that are larger than the memory of the transcoder, and many small ones between them. */
function largeRows (): { columns: EncodedColumn[], rows: string[] } {
  const long = 'abc"\\é\n/'.repeat(20_000)
  const row = (values: unknown[]): string => `{${values.flatMap((value, index) =>
    value === undefined ? [] : [`"c${index}":${JSON.stringify(value)}`]).join(',')}}`
  return {
    columns: (['text', 'jsonb', 'text[]', 'number[]', 'text[]'] as const).map((encoding, index) =>
      column(`c${index}`, encoding)),
    rows: [
      row([long, { [long]: [long, {}] }, [long, ' ', 'x'], Array.from({ length: 50_000 }, (_, index) => index), ['x']]),
      ...Array.from({ length: 5000 }, (_, index) => row([`${index}`, undefined, [], [index], null])),
      row([`${'\x01'.repeat(100_000)}`, long, Array.from({ length: 50_000 }, () => null), [[1, 2], [3, 4]], ['a b']]),
      ...Array.from({ length: 8 }, () => row(['x'.repeat(30_000), ' '.repeat(30_000), [], [], ['"'.repeat(30_000)]]))
    ]
  }
}

t.test('values larger than the memory, and many rows in one chunk, are translated', async (t) => {
  const { columns, rows } = largeRows()
  const list = listOf(rows)
  for (const skip of [[], ['c0'], ['c1', 'c2'], columns.map(({ name }) => name)]) {
    const wanted = expected(columns, list, skip)
    t.match(wanted, { rows: rows.length, stopped: 'end' })
    for (const size of [list.length, 65_537, 65_536]) {
      const read = readList(columns, list, [size], skip)
      t.ok(read.copied.equals(wanted.copied), `without ${skip.join()} in chunks of ${size}`)
      t.match(read, { rows: rows.length, rest: 0, stopped: 'end' })
    }
  }
})

t.test('an element without quotes that is very long is refused', async (t) => {
  const columns = [column('c', 'text[]')]
  for (const [length, stopped] of [[16_000, 'end'], [17_000, 'refused']] as const) {
    const list = listOf([`{"c":["${'x'.repeat(length)}"]}`])
    for (const size of [list.length, 1000]) t.match(readList(columns, list, [size]), { stopped })
  }
})

t.test('a number that PostgreSQL does not write is refused, and so is one that never ends', async (t) => {
  const columns = [column('c', 'number')]
  for (const number of [`1${'0'.repeat(32)}`, `0.${'1'.repeat(31)}`, `1e${'1'.repeat(31)}`, '9'.repeat(200_000)]) {
    const list = Buffer.from(`\n{"c":${number}}\n]`)
    for (const size of [list.length, 1, 70_000]) t.match(readList(columns, list, [size]), { stopped: 'refused' })
    const cut = list.subarray(0, 6 + 65_537)
    if (cut.length < list.length) t.match(readList(columns, cut), { stopped: 'refused' })
  }
})

t.test('a row of more bytes than are allowed is refused', async (t) => {
  const columns = [column('c', 'text'), column('d', 'jsonb')]
  for (const length of [0, 20, 100_000]) {
    const row = `{"c":"${'x'.repeat(length)}","d":[]}`
    const list = listOf(['{"c":""}', `  ${row}  `, row])
    for (const size of [7, list.length]) {
      t.match(readList(columns, list, [size], [], row.length), { rows: 3, stopped: 'end' })
      t.match(readList(columns, list, [size], [], row.length - 1), { rows: 1, stopped: 'refused' })
    }
  }
})

t.test('after a refused row, the next row is read from its beginning', async (t) => {
  const columns = [column('c', 'text')]
  const out = new ByteQueue()
  transcoder.startTable(columns.map((column) => ({ ...column, skip: false })), Infinity)
  const cursor = cursorOver('{"c":"a"},{"c":"b\\u0000"},{"c":"c"}]')
  t.equal(transcoder.take(cursor, out), 'refused')
  t.equal(transcoder.take(cursor, out), 'refused', 'it is refused again')
  cursor.position = cursor.bytes.lastIndexOf('{')
  t.equal(transcoder.take(cursor, out), 'end')
  t.equal(Buffer.concat(out.take()).toString(), 'a\nc\n')
  t.equal(transcoder.takeRows(), 2)
})

t.test('a table that PostgreSQL cannot have is not begun', async (t) => {
  const begins = (columns: EncodedColumn[]): boolean =>
    transcoder.startTable(columns.map((column) => ({ ...column, skip: false })), Infinity)
  const many = (count: number): EncodedColumn[] =>
    Array.from({ length: count }, (_, index) => column(`${index}`.padStart(63, '\x01'), 'text'))
  t.ok(begins([]))
  t.ok(begins(many(1600)))
  t.notOk(begins(many(1601)))
  t.notOk(begins([column('x'.repeat(1100), 'text')]))
  t.notOk(begins([column('c', 'text[]', 'é')]))
  const columns = many(1600)
  const list = listOf([`{${columns.map(({ name }) => `${JSON.stringify(name)}:"x"`).join(',')}}`])
  for (const size of [1, 100, list.length]) t.strictSame(readList(columns, list, [size]), expected(columns, list))
})

t.test('without WebAssembly there is none', async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  const created = createRowsToCopy()
  Object.defineProperty(globalThis, 'WebAssembly', own)
  t.equal(created, undefined)
})
