import t from 'tap'
import type { BinaryColumn } from '../../../lib/snapshot/codec/binary-encoders.ts'
import { createRowsToBinary } from '../../../lib/snapshot/codec/rows-to-binary.ts'
import { toBinary } from '../to-binary.ts'

const text: BinaryColumn = { name: 'c', encoder: 'text' }
const listOf = (rows: string[]): Buffer => Buffer.from(`\n${rows.join(',\n')}\n]`)
const field = (value: string): string => `${Buffer.byteLength(value).toString(16).padStart(8, '0')}${
  Buffer.from(value).toString('hex')}`
const rowOf = (value: string): string => `0001${field(value)}`

t.test('rows have the number of their fields, and each field its length', async (t) => {
  const columns: BinaryColumn[] = [{ name: 'é', encoder: 'int2' }, { name: 'a"b', encoder: 'text' }]
  const list = listOf(['{"é":258,"a\\"b":"x\\n\\u00e9"}', '{"é":null,"a\\"b":""}'])
  const { copied: bytes, rows, stopped } = toBinary(columns, list)
  t.strictSame({ rows, stopped }, { rows: 2, stopped: 'end' })
  t.equal(bytes.toString('hex'), `0002${'000000020102'}${field('x\né')}0002ffffffff00000000`)
})

t.test('bytes may arrive in chunks of any size', async (t) => {
  const columns: BinaryColumn[] = [
    text, { name: 'd', encoder: 'jsonb' }, { name: 'e', encoder: 'array', element: { encoder: 'float8', oid: 701 } }
  ]
  const rows = Array.from({ length: 3000 }, (_, n) =>
    `{"c":"${'x'.repeat(n % 50)}"${n % 3 === 0 ? '' : `,"d":{"n": [${n}, "\\"]"]}`},"e":[${n / 7},null]}`)
  const whole = toBinary(columns, listOf(rows))
  t.strictSame([whole.rows, whole.stopped, whole.rest], [3000, 'end', 0])
  for (const sizes of [[1], [7], [61, 3], [1000], [70_000]]) {
    const read = toBinary(columns, listOf(rows), sizes)
    t.ok(read.copied.equals(whole.copied), `in chunks of ${sizes.join()}`)
    t.equal(read.rows, 3000)
  }
})

t.test('a row of up to 1 MiB is read, and a longer one is refused after those before it', async (t) => {
  for (const size of [60_000, 70_000, 500_000, 1_000_000]) {
    const long = 'x'.repeat(size)
    const rows = ['{"c":"a"}', `{"c":"${long}"}`, '{"c":"b"}']
    const { copied: bytes, stopped } = toBinary([text], listOf(rows), [65_536])
    t.equal(stopped, 'end')
    t.ok(bytes.equals(Buffer.from(`${rowOf('a')}${rowOf(long)}${rowOf('b')}`, 'hex')), String(size))
  }
  const { rows, stopped, rest } = toBinary([text], listOf(['{"c":"a"}', `{"c":"${'x'.repeat(1_100_000)}"}`]), [65_536])
  t.strictSame({ rows, stopped }, { rows: 1, stopped: 'refused' })
  t.ok(rest > 1_000_000)
})

t.test('a row of more than 1 MiB in binary form is refused', async (t) => {
  const columns: BinaryColumn[] = [{ name: 'c', encoder: 'array', element: { encoder: 'int4', oid: 23 } }]
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
  const columns: BinaryColumn[] = [text, { name: 'd', encoder: 'int4' }]
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

/** The hexadecimal form of a value, or `refused`. */
function encode (encoder: BinaryColumn['encoder'], json: string): string {
  const { copied: bytes, stopped } = toBinary([{ name: 'c', encoder }], listOf([`{"c":${json}}`]))
  // Behind the number of fields and the length
  return stopped === 'end' ? bytes.toString('hex', 6) : stopped
}

const exact: Array<[encoder: BinaryColumn['encoder'], json: string, hex: string]> = [
  ['float4', '16777216', '4b800000'],
  // Halfway between two numbers, or only so close to it that an f64 cannot tell
  ['float4', '16777217', 'refused'],
  ['float4', '16777217.000000000000001', 'refused'],
  ['float4', '3.4028235e+38', '7f7fffff'],
  ['float4', '3.4028236e+38', 'refused'],
  ['float4', '1.1754944e-38', '00800000'],
  ['float4', '1e-45', 'refused'],
  ['float4', '0', '00000000'],
  ['float4', '"NaN"', '7fc00000'],
  ['float8', '-0', '8000000000000000'],
  ['float8', '9007199254740993', '4340000000000000'],
  ['float8', '0.1', '3fb999999999999a'],
  ['float8', '75497980385967.257', '42d12a8f9356abd0'],
  ['float8', '1.7976931348623157e+308', '7fefffffffffffff'],
  ['float8', '1.7976931348623159e+308', 'refused'],
  ['float8', '5e-324', '0000000000000001'],
  ['float8', '1e-400', 'refused'],
  ['float8', '0e5', '0000000000000000'],
  ['float8', '"NaN"', '7ff8000000000000'],
  ['float8', '"-Infinity"', 'fff0000000000000'],
  ['float8', '"Infinitx"', 'refused'],
  ['float8', '"nan"', 'refused'],
  ['int2', '-32768', '8000'],
  ['int2', '32768', 'refused'],
  ['int8', '"-9223372036854775808"', '8000000000000000'],
  ['int8', '"9223372036854775808"', 'refused'],
  ['int8', '1', 'refused'],
  ['boolean', 'true', '01'],
  ['boolean', 'trua', 'refused'],
  ['numeric', '"-0.00"', '0000000000000002'],
  ['numeric', '"12345.0600"', '0003000100000004000109290258'],
  ['numeric', '"10000"', '00010001000000000001'],
  ['numeric', '"0.00012"', '0002ffff00000005000107d0'],
  ['numeric', '"1e5"', 'refused'],
  ['numeric', '".5"', 'refused'],
  ['numeric', '"5."', 'refused'],
  ['numeric', `"${'9'.repeat(181)}"`, 'refused'],
  ['numeric', '"Infinity"', '00000000d0000000'],
  ['numeric', '"-infinity"', 'refused'],
  ['uuid', '"00112233-4455-6677-8899-aabbccddeeff"', '00112233445566778899aabbccddeeff'],
  ['uuid', '"00112233-4455-6677-8899-AABBCCDDEEFF"', 'refused'],
  ['uuid', '"00112233-4455-6677-8899+aabbccddeeff"', 'refused'],
  ['bytea', '"\\\\x00ff"', '00ff'],
  ['bytea', '"\\\\x00f"', 'refused'],
  ['bytea', '"\\\\000"', 'refused'],
  ['date', '"2000-01-01"', '00000000'],
  ['date', '"1900-02-29"', 'refused'],
  ['date', '"2000-02-29"', '0000003b'],
  ['date', '"0001-01-01"', 'fff4dbf9'],
  ['date', '"0000-01-01"', 'refused'],
  ['date', '"2000-1-01 "', 'refused'],
  ['date', '"infinity"', '7fffffff'],
  ['time', '"23:59:59.999999"', '000000141dd75fff'],
  ['time', '"24:00:00"', 'refused'],
  ['time', '"23:59:60"', 'refused'],
  ['time', '"23:59:59.9999999"', 'refused'],
  ['timestamp', '"2000-01-01 00:00:00.5"', '000000000007a120'],
  ['timestamp', '"2000-01-01 00:00:00+00"', 'refused'],
  ['timestamp', '"2000-01-01T00:00:00"', 'refused'],
  ['timestamp', '"-infinity"', '8000000000000000'],
  ['timestamptz', '"2000-01-01 05:30:00+05:30"', '0000000000000000'],
  ['timestamptz', '"2000-01-01 00:00:00"', 'refused'],
  ['timestamptz', '"2000-01-01 00:00:00+16"', 'refused'],
  ['interval', '"-1 years +2 mons 3 days 00:00:00.000001"', '000000000000000100000003fffffff6'],
  ['interval', '"-1 days 03:00:00"', 'refused'],
  ['interval', '"1 day -03:00:00"', 'fffffffd7c4514000000000100000000'],
  ['interval', '"1 day 1 day"', 'refused'],
  ['interval', '"1 day 1 year"', 'refused'],
  ['interval', '"1 week"', 'refused'],
  ['interval', '"178956971 years"', 'refused'],
  ['interval', '"infinity"', 'refused'],
  ['jsonb', '{"a": [1, "\\"]"]}', `01${Buffer.from('{"a": [1, "\\"]"]}').toString('hex')}`],
  ['jsonb', 'null', '016e756c6c'],
  ['text', '"\\u00e9\\ud83d\\ude00\\/\\b\\u0001"', Buffer.from('é😀/\b\x01').toString('hex')]
]

for (const [encoder, json, hex] of exact) {
  t.test(`${json} of ${encoder} is ${hex === 'refused' ? hex : `written as ${hex}`}`, async (t) => {
    t.equal(encode(encoder, json), hex)
  })
}

t.test('all arrays of a dimension have the same length', async (t) => {
  const element = { encoder: 'int4', oid: 23 } as const
  const read = (json: string): string => {
    const { copied: bytes, stopped } = toBinary([{ name: 'c', encoder: 'array', element }], listOf([`{"c":${json}}`]))
    return stopped === 'end' ? bytes.toString('hex', 6) : stopped
  }
  const one = (value: number): string => `00000004${value.toString(16).padStart(8, '0')}`
  t.equal(read('[]'), '000000000000000000000017')
  t.equal(read('[7,null]'), `000000010000000100000017${'0000000200000001'}${one(7)}ffffffff`)
  t.equal(read('[[1,2,3],[4,5,6]]'), `000000020000000000000017${'0000000200000001'}${'0000000300000001'}${
    [1, 2, 3, 4, 5, 6].map(one).join('')}`)
  const others = ['[[1],[2,3]]', '[[]]', '[[1],2]', '[1,[2]]', '[[1],null]', '[1,]', '[1 ,2]', '[[[[[[[1]]]]]]]', '1']
  for (const json of others) t.equal(read(json), 'refused', json)
})

t.test('a table that PostgreSQL cannot have is not begun', async (t) => {
  const transcoder = createRowsToBinary()
  t.equal(transcoder?.startTable([{ name: 'x'.repeat(1100), encoder: 'text' }], Infinity), false)
  t.equal(transcoder?.startTable(Array.from({ length: 1601 }, (_, index) => ({ ...text, name: `${index}` })), 9), false)
})

t.test('without WebAssembly there is no transcoder', async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  const created = createRowsToBinary()
  Object.defineProperty(globalThis, 'WebAssembly', own)
  t.equal(created, undefined)
})
