import { deepStrictEqual, equal } from 'node:assert/strict'
import fc from '../../support/fast-check.ts'
import t from 'tap'
import type { Encoding } from '../../../lib/snapshot/codec/column-encoding.ts'
import { ByteQueue } from '../../../lib/snapshot/codec/byte-queue.ts'
import { SnapshotSyntaxError } from '../../../lib/snapshot/codec/json-cursor.ts'
import { createJsonToCopy } from '../../../lib/snapshot/codec/json-to-copy.ts'
import { lineOf, table } from '../arbitrary-table.ts'
import { chooser, respellRow } from '../respell.ts'
import { column, cursorOver, toCopy, toJson } from '../transcode.ts'

const columns = [
  column('id', 'text'),
  column('age', 'number'),
  column('ok', 'boolean'),
  column('tags', 'text[]'),
  column('profile', 'jsonb')
]
const row = '{"id":"1","age":36,"ok":true,"tags":["x"],"profile":{"a": 1}}'
const line = '1\t36\tt\t{x}\t{"a": 1}\n'

/** The COPY field of one value. */
const copy = (encoding: Encoding, json: string, delimiter = ','): string =>
  toCopy([column('c', encoding, delimiter)], `{"c":${json}}`)
    .toString()
    .slice(0, -1)

/** The message of a syntax error; for any other error, a text that shows it. */
function problemOf (work: () => unknown): string {
  try {
    work()
    return 'no problem'
  } catch (error) {
    return error instanceof SnapshotSyntaxError ? error.message : `another error: ${String(error)}`
  }
}

t.test('a row is a line of COPY text', async (t) => {
  t.equal(toCopy(columns, row).toString(), line)
})

t.test('a row of a table without columns is an empty line', async (t) => {
  t.equal(toCopy([], '{}').toString(), '\n')
  t.equal(toCopy([], ' { }').toString(), '\n')
})

t.test('null is SQL NULL, except in jsonb, where an absent key is SQL NULL', async (t) => {
  for (const encoding of ['text', 'number', 'boolean', 'text[]', 'number[]', 'boolean[]'] as const) {
    t.equal(copy(encoding, 'null'), '\\N')
  }
  t.equal(copy('jsonb', 'null'), 'null')
  const columns = [column('a', 'jsonb'), column('b', 'jsonb'), column('c', 'text'), column('d', 'jsonb')]
  t.equal(toCopy(columns, '{"c":"x"}').toString(), '\\N\t\\N\tx\t\\N\n')
  t.equal(toCopy(columns, '{"b":1,"c":"x"}').toString(), '\\N\t1\tx\t\\N\n')
  t.equal(toCopy(columns, '{"d":2,"c":"x"}').toString(), '\\N\t\\N\tx\t2\n')
})

t.test('an absent key is detected even when the key is longer than the rest of the bytes', async (t) => {
  t.equal(
    toCopy([column('id', 'text'), column('a_name_that_is_longer_than_the_rest', 'jsonb')], '{"id":"1"}').toString(),
    '1\t\\N\n'
  )
})

t.test('a number keeps its digits, even if a double cannot represent it', async (t) => {
  for (const digits of ['0', '-0', '10', '-1.50', '1e5', '1E+05', '12345678901234567890.10', '1e-400']) {
    t.equal(copy('number', digits), digits)
  }
  for (const word of ['NaN', 'Infinity', '-Infinity']) t.equal(copy('number', `"${word}"`), word)
})

t.test('a boolean is t or f', async (t) => {
  t.equal(copy('boolean', 'true'), 't')
  t.equal(copy('boolean', 'false'), 'f')
})

t.test('a text may look like NULL or the end of COPY', async (t) => {
  t.equal(copy('text', '"\\\\N"'), '\\\\N')
  t.equal(copy('text', '"\\\\."'), '\\\\.')
  t.equal(copy('text', '""'), '')
})

t.test('jsonb is copied unchanged, with its white space, order and digits', async (t) => {
  t.equal(
    copy('jsonb', '{ "b" : [1.10,\n\t2], "a" : "x\\ny\\\\" }'),
    '{ "b" : [1.10,\\n\\t2], "a" : "x\\\\ny\\\\\\\\" }'
  )
  t.equal(copy('jsonb', '"}]\\""'), '"}]\\\\""')
})

t.test('jsonb may be nested a million times', async (t) => {
  const json = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
  t.equal(copy('jsonb', json), json)
})

t.test('an array is written as array_out() writes it', async (t) => {
  t.equal(copy('text[]', '[]'), '{}')
  t.equal(
    copy('text[]', '["a",null,"NULL","nUll","","b c","nul","nulls"]'),
    '{a,NULL,"NULL","nUll","","b c",nul,nulls}'
  )
  t.equal(copy('text[]', '[["a","b"],["c",null]]'), '{{a,b},{c,NULL}}')
  t.equal(copy('number[]', '[1,null,-2.5,"NaN"]'), '{1,NULL,-2.5,NaN}')
  t.equal(copy('boolean[]', '[true,false,null]'), '{t,f,NULL}')
  t.equal(copy('text[]', '["(1,1),(0,0)","a;b"]', ';'), '{(1,1),(0,0);"a;b"}')
  t.equal(copy('text[]', '["a","b\\tc"]', '\t'), '{a\\t"b\\tc"}')
  t.equal(copy('number[]', '"[0:1]={1,2}"'), '[0:1]={1,2}')
  t.equal(copy('text[]', '[ [ "a" , "b" ] , [ "c" , "d" ] ]'), '{{a,b},{c,d}}')
})

t.test('arrays have six dimensions at most', async (t) => {
  t.equal(copy('number[]', '[[[[[[1]]]]]]'), '{{{{{{1}}}}}}')
  t.throws(() => copy('number[]', '[[[[[[[1]]]]]]]'), { message: 'column "c": an array has more than 6 dimensions' })
})

t.test('a column with skip is read and discarded', async (t) => {
  t.equal(toCopy(columns, row, ['id']).toString(), '36\tt\t{x}\t{"a": 1}\n')
  t.equal(toCopy(columns, row, ['ok', 'tags']).toString(), '1\t36\t{"a": 1}\n')
  t.equal(toCopy(columns, row, ['tags', 'profile']).toString(), '1\t36\tt\n')
  t.equal(toCopy(columns, '{"id":"1","age":36,"ok":true,"tags":["x"]}', ['age', 'profile']).toString(), '1\tt\t{x}\n')
  t.equal(toCopy(columns, row, columns.map(({ name }) => name)).toString(), '\n')
  t.throws(() => toCopy(columns, row.replace('36', '3x'), ['age']), { message: 'column "age": its value is malformed' })
})

t.test('keys may come in any order', async (t) => {
  t.equal(toCopy(columns, '{"profile":{"a": 1},"tags":["x"],"ok":true,"id":"1","age":36}').toString(), line)
})

t.test('a key may be the name of a property of Object.prototype', async (t) => {
  const columns = [column('__proto__', 'text'), column('constructor', 'jsonb'), column('toString', 'number')]
  t.equal(toCopy(columns, '{"__proto__":"x","toString":1}').toString(), 'x\t\\N\t1\n')
  t.equal(toCopy(columns, '{"toString":1,"constructor":2,"__proto__":"x"}').toString(), 'x\t2\t1\n')
  for (const key of ['__proto__', 'constructor', 'hasOwnProperty']) {
    t.throws(() => toCopy([column('id', 'text')], `{"id":"1","${key}":"x"}`), {
      message: 'a key is not a column of the table'
    })
  }
})

t.test('a key may be empty', async (t) => {
  t.equal(toCopy([column('', 'text'), column('a', 'text')], '{"a":"1","":"2"}').toString(), '2\t1\n')
})

const refused: Array<[what: string, row: string, message: string]> = [
  ['an array in place of an object', '["1"]', 'an object was expected'],
  [
    'a key that is not a column',
    '{"id":"1","secret":1,"age":36,"ok":true,"tags":["x"]}',
    'a key is not a column of the table'
  ],
  [
    'a key that appears twice',
    '{"id":"1","id":"1","age":36,"ok":true,"tags":["x"]}',
    'column "id": the key appears twice'
  ],
  ['an absent key', '{"id":"1","age":36,"tags":["x"],"profile":1}', 'column "ok": its key is absent'],
  ['an empty row', '{}', 'column "id": its key is absent'],
  ['a key without quotes', '{id:"1"}', 'a string was expected'],
  ['a key that is not JSON', '{"i\\d":"1"}', 'a key is malformed'],
  ['a missing colon', '{"id" "1"}', 'a colon was expected'],
  ['a missing comma', '{"id":"1" "age":36}', 'a comma or the end of the object was expected'],
  ['a comma too many', '{"id":"1",}', 'a string was expected'],
  ['text after a value', '{"id":"1"x,"age":36}', 'a comma or the end of the object was expected'],
  [
    'an array that ends with another bracket',
    '{"id":"1","age":36,"ok":true,"tags":["x"}}',
    'column "tags": a comma or the end of the array was expected'
  ],
  ['a missing value', '{"id":,"age":36}', 'a value was expected'],
  ['another closing bracket', '{"id":"1"]', 'a comma or the end of the object was expected']
]
for (const [what, row, message] of refused) {
  t.test(`a row with ${what} is refused`, async (t) => {
    t.equal(problemOf(() => toCopy(columns, row)), message)
  })
}

const wrong: Array<[encoding: Encoding, json: string, problem: string]> = [
  ...[
    '01',
    '1.',
    '-',
    '1e',
    '+1',
    '.5',
    '1.e5',
    '0x10',
    '--1',
    '1e+',
    '-a',
    '1.5.5',
    'NaN',
    'Infinity',
    'true',
    '"1"',
    '"nan"',
    '"NaN "',
    '[1]',
    '{}'
  ].map((json): [Encoding, string, string] => ['number', json, 'column "c": ']),
  ...['1', '0', '"t"', 'True', 'truex', 'tru', 'f', '[true]'].map((json): [Encoding, string, string] => [
    'boolean',
    json,
    'column "c": '
  ]),
  ['text', '1', 'a string was expected'],
  ['text', 'true', 'a string was expected'],
  ['text', '["a"]', 'a string was expected'],
  ['text', 'nul', 'a value of another type was expected'],
  ['text', 'nullx', 'its value is malformed'],
  ['text', '"\\ud83dabcdef"', 'a string contains a lone surrogate'],
  ['text', '"\\ud83d\\n12345"', 'a string contains a lone surrogate'],
  ['text', '"\\ud83d\\ud83d"', 'a string contains a lone surrogate'],
  ['text', '"\\ud83d\\ue000"', 'a string contains a lone surrogate'],
  ['text', "'a'", 'a string was expected'],
  ['text', '"a\nb"', 'a string contains a raw control character'],
  ['text', '"\x00"', 'a string contains a raw control character'],
  ['text', '"\\x"', 'a string contains an escape that is not valid JSON'],
  ['text', '"\\v"', 'a string contains an escape that is not valid JSON'],
  ['text', '"\\N"', 'a string contains an escape that is not valid JSON'],
  ['text', '"\\u0000"', 'a string contains \\u0000, which PostgreSQL cannot store'],
  ['text', '"\\ud83d"', 'a string contains a lone surrogate'],
  ['text', '"\\ude00"', 'a string contains a lone surrogate'],
  ['text', '"\\u12G4"', 'a \\u escape is malformed'],
  ['text[]', '["a",]', 'an array element was expected'],
  ['text[]', '[,"a"]', 'a string was expected'],
  ['text[]', '["a" "b"]', 'a comma or the end of the array was expected'],
  ['text[]', '[1]', 'a string was expected'],
  ['text[]', '[{}]', 'a string was expected'],
  ['text[]', '{"a":1}', 'an array was expected'],
  ['text[]', '["\\ud83d"]', 'a string contains a lone surrogate'],
  ['text[]', '["\t"]', 'a string contains a raw control character'],
  ['text[]', '["\\a"]', 'a string contains an escape that is not valid JSON'],
  ['number[]', '["1"]', 'a number was expected'],
  ['number[]', '[01]', 'a comma or the end of the array was expected'],
  ['number[]', '[true]', 'a number was expected'],
  ['boolean[]', '[1]', 'a value of another type was expected'],
  ['boolean[]', '["t"]', 'a value of another type was expected']
]
t.test('a value of another type, or an invalid one, is refused with the name of its column', async (t) => {
  for (const [encoding, json, problem] of wrong) {
    const message = problemOf(() => copy(encoding, json))
    t.match(message, problem, `${encoding}: ${JSON.stringify(json)}`)
    t.match(message, /^column "c": /)
  }
})

t.test('a row is read up to its end when text follows', async (t) => {
  const out = new ByteQueue()
  const cursor = cursorOver('{"id":"1"},{"id":"2"}]')
  const transcode = createJsonToCopy([{ ...column('id', 'text'), skip: false }])
  t.ok(transcode(cursor, out))
  cursor.position++
  t.ok(transcode(cursor, out))
  t.equal(cursor.position, cursor.end - 1)
  t.equal(String(Buffer.concat(out.take())), '1\n2\n')
})

t.test('invalid UTF-8 is copied unchanged, so that the server refuses it', async (t) => {
  const bytes = Buffer.from('{"c":"\xff\xc3"}', 'latin1')
  t.strictSame(toCopy([column('c', 'text')], bytes), Buffer.from('\xff\xc3\n', 'latin1'))
  t.strictSame(toCopy([column('c', 'jsonb')], bytes), Buffer.from('"\xff\xc3"\n', 'latin1'))
  const element = Buffer.from('{"c":["\xff\xc3","\\\\\xff"]}', 'latin1')
  t.strictSame(toCopy([column('c', 'text[]')], element), Buffer.from('{\xff\xc3,"\\\\\\\\\xff"}\n', 'latin1'))
})

t.test('a key that is not UTF-8 is not decoded with U+FFFD', async (t) => {
  t.throws(
    () => toCopy([column('a', 'text'), column('\ufffd', 'text')], Buffer.from('{"\xff":"1","a":"2"}', 'latin1')),
    { message: 'a key is malformed' }
  )
})

t.test('COPY text to JSON to COPY text returns the same bytes, for any table', async (t) => {
  const property = fc.property(table, ({ columns, rows }) => {
    for (const row of rows) {
      const line = lineOf(row)
      equal(String(toCopy(columns, toJson(columns, line))), String(line))
    }
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 1000 }) })
})

t.test('another formatting of a row results in the same line', async (t) => {
  const property = fc.property(table, fc.nat(), ({ columns, rows }, seed) => {
    const choose = chooser(seed)
    for (const row of rows) {
      const line = lineOf(row)
      const respelled = respellRow(String(toJson(columns, line)), columns, choose).trimEnd()
      equal(String(toCopy(columns, respelled)), String(line))
    }
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 1000 }) })
})

t.test('a row that is truncated anywhere is incomplete, and cursor and queue are unchanged', async (t) => {
  const property = fc.property(table, fc.nat(), ({ columns, rows: [row = []] }, seed) => {
    const json = toJson(columns, lineOf(row))
    const transcode = createJsonToCopy(columns.map((column) => ({ ...column, skip: false })))
    for (const respelled of [json, Buffer.from(respellRow(String(json), columns, chooser(seed)).trimEnd())]) {
      const out = new ByteQueue()
      out.append(Buffer.from('before'))
      const cursor = cursorOver(Buffer.concat([Buffer.from('  '), respelled]))
      for (let end = 2; end < cursor.bytes.length; end++) {
        cursor.position = 2
        cursor.end = end
        deepStrictEqual([transcode(cursor, out), cursor.position, out.length], [false, 2, 6])
      }
      cursor.end = cursor.bytes.length
      equal(transcode(cursor, out), true)
      equal(String(Buffer.concat(out.take())), `before${lineOf(row)}`)
    }
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 200 }) })
})

t.test('an escape that is truncated anywhere is incomplete', async (t) => {
  for (const json of ['{"c":"\\ud83d\\ude00\\n\\u00fc"}', '{"c":["\\ud83d\\ude00\\n\\u00fc"]}']) {
    for (let length = 0; length < json.length; length++) {
      t.throws(() => toCopy([column('c', json.includes('[') ? 'text[]' : 'text')], json.slice(0, length)), {
        message: 'the row is incomplete'
      })
    }
  }
})

t.test('the time for long values is proportional to their length', async (t) => {
  const size = 500_000
  t.equal(copy('text', `"${'\\\\'.repeat(size)}"`).length, size * 2)
  t.equal(copy('jsonb', `"${'\\\\'.repeat(size)}"`).length, size * 4 + 2)
  t.equal(copy('jsonb', `[${'"\\"",'.repeat(size / 5)}1]`).length, size / 5 * 6 + 3)
  t.equal(copy('text[]', `["${'\\\\'.repeat(size)}"]`).length, size * 4 + 4)
  t.equal(copy('text[]', `[${'"\\"",'.repeat(size / 5)}""]`).length, size / 5 * 6 + 4)
  t.equal(copy('number[]', `[${'1,'.repeat(size)}1]`).length, size * 2 + 3)
  t.equal(copy('text', `"${'\\u00fc'.repeat(size / 5)}"`).length, size / 5)
})
