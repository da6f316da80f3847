import { deepStrictEqual } from 'node:assert/strict'
import fc from '../../support/fast-check.ts'
import t from 'tap'
import type { Encoding } from '../../../lib/snapshot/codec/column-encoding.ts'
import { lineOf, table } from '../arbitrary-table.ts'
import { column, toJson } from '../transcode.ts'

/** The JSON of one value. */
const json = (encoding: Encoding, field: string, delimiter = ','): string =>
  toJson([column('c', encoding, delimiter)], `${field}\n`).toString().replace(/^\{"c":(.*)\}$/s, '$1')

t.test('a row is an object with the columns in their order', async (t) => {
  const columns = [
    column('id', 'text'),
    column('age', 'number'),
    column('ok', 'boolean'),
    column('tags', 'text[]'),
    column('profile', 'jsonb')
  ]
  t.equal(
    toJson(columns, '1\t36\tt\t{x}\t{"a": 1}\n').toString(),
    '{"id":"1","age":36,"ok":true,"tags":["x"],"profile":{"a": 1}}'
  )
})

t.test('a row of a table without columns is an empty object', async (t) => {
  t.equal(toJson([], '\n').toString(), '{}')
})

t.test('any name of a column can be a key', async (t) => {
  for (const name of ['__proto__', 'constructor', 'a"b', 'a\\b', 'a\nb', 'über', '']) {
    t.strictSame(
      Object.entries(JSON.parse(String(toJson([column('id', 'number'), column(name, 'text')], '1\tx\n'))) as object),
      [
        ['id', 1],
        [name, 'x']
      ]
    )
  }
})

t.test('SQL NULL is null, except for jsonb, in which null is a value', async (t) => {
  for (const encoding of ['text', 'number', 'boolean', 'text[]', 'number[]', 'boolean[]'] as const) {
    t.equal(json(encoding, '\\N'), 'null')
  }
  t.equal(json('jsonb', 'null'), 'null')
  const columns = [
    column('a', 'jsonb'),
    column('b', 'jsonb'),
    column('c', 'text'),
    column('d', 'jsonb'),
    column('e', 'jsonb')
  ]
  t.equal(toJson(columns, '\\N\t\\N\t\\N\t1\t\\N\n').toString(), '{"c":null,"d":1}')
  t.equal(toJson(columns.slice(0, 2), '\\N\t\\N\n').toString(), '{}')
})

t.test('texts that look like NULL or the end of COPY are unchanged, and so is an empty text', async (t) => {
  t.equal(json('text', '\\\\N'), '"\\\\N"')
  t.equal(json('text', '\\\\.'), '"\\\\."')
  t.equal(json('text', 'NULL'), '"NULL"')
  t.equal(json('text', ''), '""')
  t.equal(toJson([column('a', 'text'), column('b', 'text')], '\t\n').toString(), '{"a":"","b":""}')
})

t.test('escapes that COPY and JSON share are copied, and other characters are escaped', async (t) => {
  t.equal(json('text', 'a\\\\b\\tc\\nd\\re\\bf\\fg'), '"a\\\\b\\tc\\nd\\re\\bf\\fg"')
  t.equal(json('text', 'a\\vb'), '"a\\u000bb"')
  t.equal(json('text', 'say "hi"'), '"say \\"hi\\""')
  t.equal(json('text', '\x01\x1f\x7f/'), '"\\u0001\\u001f\x7f/"')
})

t.test('characters of several bytes are copied, and so is invalid UTF-8', async (t) => {
  t.equal(json('text', 'é世😀\u2028'), '"é世😀\u2028"')
  t.strictSame(
    toJson([column('c', 'text')], Buffer.from('\xff\xc3\n', 'latin1')),
    Buffer.from('{"c":"\xff\xc3"}', 'latin1')
  )
})

t.test('numbers keep their digits; NaN and the infinities are strings', async (t) => {
  for (const digits of ['0', '-1', '2147483647', '1.5', '-0', '1e+20', '1.7976931348623157e+308', '5e-324', '0.1']) {
    t.equal(json('number', digits), digits)
  }
  for (const word of ['NaN', 'Infinity', '-Infinity']) t.equal(json('number', word), `"${word}"`)
})

t.test('jsonb is embedded unchanged, without the doubled backslashes of COPY', async (t) => {
  t.equal(
    json('jsonb', '{"a": [1.10, 12345678901234567890], "b": "c\\\\n\\\\"\\\\\\\\"}'),
    '{"a": [1.10, 12345678901234567890], "b": "c\\n\\"\\\\"}'
  )
})

t.test('an array is a JSON array of its elements', async (t) => {
  t.equal(json('text[]', '{}'), '[]')
  t.equal(json('text[]', '{a,NULL,"NULL","null","","b c"}'), '["a",null,"NULL","null","","b c"]')
  t.equal(json('number[]', '{1,NULL,-2.5,NaN,-Infinity}'), '[1,null,-2.5,"NaN","-Infinity"]')
  t.equal(json('boolean[]', '{t,f,NULL}'), '[true,false,null]')
  t.equal(json('text[]', '{{a,b},{c,NULL}}'), '[["a","b"],["c",null]]')
})

t.test('the escapes of the array and of COPY are removed from elements', async (t) => {
  t.equal(
    json('text[]', '{"a\\\\"b","c\\\\\\\\d","e\\nf","\\v","{g}","h,i"}'),
    '["a\\"b","c\\\\d","e\\nf","\\u000b","{g}","h,i"]'
  )
  t.equal(json('text[]', '{\\b\x01,é}'), '["\\b\\u0001","é"]')
})

t.test('other words of four letters are not NULL', async (t) => {
  t.equal(json('text[]', '{NUDE,NULS,NOLL,xULL,NULLS}'), '["NUDE","NULS","NOLL","xULL","NULLS"]')
})

t.test('elements are separated by the delimiter of the type', async (t) => {
  t.equal(json('text[]', '{(1,1),(0,0);(3,3),(2,2);NULL;"a;b"}', ';'), '["(1,1),(0,0)","(3,3),(2,2)",null,"a;b"]')
  t.equal(json('text[]', '{a\\tb}', '\t'), '["a","b"]')
})

t.test('an array with explicit bounds is a string', async (t) => {
  t.equal(json('number[]', '[0:1]={1,2}'), '"[0:1]={1,2}"')
  t.equal(json('text[]', '[0:0]={"a\\\\"b"}'), '"[0:0]={\\"a\\\\\\"b\\"}"')
})

t.test('a truncated line, and one with more or fewer fields than its table has columns, are refused', async (t) => {
  const columns = (['text', 'jsonb', 'text[]', 'number', 'boolean', 'text'] as const).map((encoding, index) =>
    column(`c${index}`, encoding)
  )
  const refused = { message: 'a line of COPY text has more or fewer fields than its table has columns' }
  const line = 'abc\t{"a": "b\\\\n"}\t{a,"b c"}\t1234\tt\t\\N\n'
  t.doesNotThrow(() => toJson(columns, line))
  for (let length = 0; length < line.length; length++) {
    t.throws(() => toJson(columns, line.slice(0, length)), refused, `${length} bytes of it`)
  }
  t.throws(() => toJson(columns.slice(0, 5), line), refused)
  t.throws(() => toJson([...columns, column('more', 'text')], line), refused)
  t.throws(() => toJson([column('c', 'jsonb')], '[1'), refused)
  t.throws(() => toJson([column('c', 'text[]')], '{"a'), refused)
  t.throws(() => toJson([], 'x\n'), refused)
})

t.test('the time for long values is proportional to their length', async (t) => {
  const size = 3_000_000
  t.equal(json('text', '"\\\\'.repeat(size / 3)).length, size / 3 * 4 + 2)
  t.equal(json('jsonb', `"${'\\\\\\\\'.repeat(size / 4)}"`).length, size / 2 + 2)
  t.equal(json('text[]', `{"${'\\\\\\\\'.repeat(size / 4)}"}`).length, size / 2 + 4)
  t.equal(json('text[]', `{${'"",'.repeat(size / 3)}""}`).length, size + 4)
  t.equal(json('number[]', `{${'1,'.repeat(size / 2)}1}`).length, size + 3)
})

t.test('JSON.parse() returns the values of any row', async (t) => {
  const property = fc.property(table, ({ columns, rows }) => {
    for (const row of rows) {
      const parsed = JSON.parse(String(toJson(columns, lineOf(row)))) as object
      const expected = columns.flatMap(({ name }, index): Array<[string, unknown]> =>
        row[index]?.json === undefined ? [] : [[name, row[index].json]]
      )
      deepStrictEqual(new Map(Object.entries(parsed)), new Map(expected))
    }
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 500 }) })
})

t.test('a row contains no raw control character, so it is one line of the file', async (t) => {
  const property = fc.property(table, ({ columns, rows }) =>
    rows.every((row) => toJson(columns, lineOf(row)).every((byte) => byte >= 0x20))
  )
  t.doesNotThrow(() => { fc.assert(property) })
})
