import t from 'tap'
import type { BinaryColumn } from '../../../lib/snapshot/codec/binary-format.ts'
import { createRowsToBinary } from '../../../lib/snapshot/codec/rows-to-binary.ts'
import { toBinary } from '../to-binary.ts'

const text: BinaryColumn = { name: 'c', format: 'text' }
const listOf = (rows: string[]): Buffer => Buffer.from(`\n${rows.join(',\n')}\n]`)
const field = (value: string): string => `${Buffer.byteLength(value).toString(16).padStart(8, '0')}${
  Buffer.from(value).toString('hex')}`
const rowOf = (value: string): string => `0001${field(value)}`

t.test('rows have the number of their fields, and each field its length', async (t) => {
  const columns: BinaryColumn[] = [{ name: 'é', format: 'int2' }, { name: 'a"b', format: 'text' }]
  const list = listOf(['{"é":258,"a\\"b":"x\\n\\u00e9"}', '{"é":null,"a\\"b":""}'])
  const { bytes, rows, stopped } = toBinary(columns, list)
  t.strictSame({ rows, stopped }, { rows: 2, stopped: 'end' })
  t.equal(bytes.toString('hex'), `0002${'000000020102'}${field('x\né')}0002ffffffff00000000`)
})

t.test('bytes may arrive in chunks of any size', async (t) => {
  const columns: BinaryColumn[] = [
    text, { name: 'd', format: 'jsonb' }, { name: 'e', format: 'array', element: { format: 'float8', oid: 701 } }
  ]
  const rows = Array.from({ length: 3000 }, (_, n) =>
    `{"c":"${'x'.repeat(n % 50)}"${n % 3 === 0 ? '' : `,"d":{"n": [${n}, "\\"]"]}`},"e":[${n / 7},null]}`)
  const whole = toBinary(columns, listOf(rows))
  t.strictSame([whole.rows, whole.stopped, whole.rest], [3000, 'end', 0])
  for (const sizes of [[1], [7], [61, 3], [1000], [70_000]]) {
    const read = toBinary(columns, listOf(rows), sizes)
    t.ok(read.bytes.equals(whole.bytes), `in chunks of ${sizes.join()}`)
    t.equal(read.rows, 3000)
  }
})

t.test('a row of up to 1 MiB is read, and a longer one is refused after those before it', async (t) => {
  for (const size of [60_000, 70_000, 500_000, 1_000_000]) {
    const long = 'x'.repeat(size)
    const rows = ['{"c":"a"}', `{"c":"${long}"}`, '{"c":"b"}']
    const { bytes, stopped } = toBinary([text], listOf(rows), [65_536])
    t.equal(stopped, 'end')
    t.ok(bytes.equals(Buffer.from(`${rowOf('a')}${rowOf(long)}${rowOf('b')}`, 'hex')), String(size))
  }
  const { rows, stopped, rest } = toBinary([text], listOf(['{"c":"a"}', `{"c":"${'x'.repeat(1_100_000)}"}`]), [65_536])
  t.strictSame({ rows, stopped }, { rows: 1, stopped: 'refused' })
  t.ok(rest > 1_000_000)
})

t.test('a row that needs more memory than its text is refused like one that is longer', async (t) => {
  const columns: BinaryColumn[] = [{ name: 'c', format: 'array', element: { format: 'int4', oid: 23 } }]
  const row = (count: number): string => `{"c":[${Array.from({ length: count }, () => 1).join()}]}`
  t.strictSame(toBinary(columns, listOf([row(100_000)])).stopped, 'end')
  t.strictSame(toBinary(columns, listOf([row(200_000)])).stopped, 'refused')
})

t.test('a row of more bytes than are allowed is refused', async (t) => {
  const row = '{"c":"xyz"}'
  const stopped = (limit: number): string => toBinary([text], listOf([row]), [20], limit).stopped
  t.equal(stopped(row.length), 'end')
  t.equal(stopped(row.length - 1), 'refused')
})

t.test('rows that the writer does not write are refused', async (t) => {
  const columns: BinaryColumn[] = [text, { name: 'd', format: 'int4' }]
  const rows = [
    '{"c":"a", "d":1}', '{"d":1,"c":"a"}', '{"c":"a"}', '{"c":"a","d":1,"e":2}', '{"c":"a","d":1.0}',
    '{"c":"a","d":01}', '{"c":"a","d":2147483648}', '{"c":"a","d":-2147483649}', '{"c":"a","d":"1"}', '{"c":1,"d":1}',
    '{"c":"\\u0000","d":1}', '{"c":"\\ud800","d":1}', '{"c":"\t","d":1}', '{"c":nul,"d":1}', '[]', '{"c":"a","d":1}{',
    '{"c":"a","d":99999999999999999999}'
  ]
  for (const row of rows) {
    const read = toBinary(columns, listOf(['{"c":"","d":-0}', row, '{"c":"","d":1}']))
    t.strictSame([read.rows, read.stopped], [1, 'refused'], row)
  }
})

t.test('a table that PostgreSQL cannot have is not begun', async (t) => {
  const transcoder = createRowsToBinary()
  t.equal(transcoder?.startTable([{ name: 'x'.repeat(1100), format: 'text' }], Infinity), false)
  t.equal(transcoder?.startTable(Array.from({ length: 1601 }, (_, index) => ({ ...text, name: `${index}` })), 9), false)
})

t.test('without WebAssembly there is none', async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  const created = createRowsToBinary()
  Object.defineProperty(globalThis, 'WebAssembly', own)
  t.equal(created, undefined)
})

t.end()
