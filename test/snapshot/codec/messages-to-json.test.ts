import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import t, { type Test } from 'tap'
import { ByteQueue } from '../../../lib/snapshot/codec/byte-queue.ts'
import type { EncodedColumn, Encoding } from '../../../lib/snapshot/codec/column-encoding.ts'
import { createMessagesToJson, type MessagesToJson } from '../../../lib/snapshot/codec/messages-to-json.ts'
import fc from '../../support/fast-check.ts'
import { lineOf, table } from '../arbitrary-table.ts'
import { copyField, copyLine } from '../copy-text.ts'
import { column, toJson } from '../transcode.ts'

function createTranscoder (): MessagesToJson {
  const transcoder = createMessagesToJson()
  if (transcoder === undefined) throw new Error('this Node.js has no WebAssembly with SIMD')
  return transcoder
}
const transcoder = createTranscoder()

function message (body: Uint8Array | string, type = 'd'): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(5, type)
  header.writeUInt32BE(bytes.length + 4, 1)
  return Buffer.concat([header, bytes])
}

/** What the transcoder in TypeScript writes. */
const expected = (columns: EncodedColumn[], lines: Array<string | Uint8Array>): Buffer =>
  Buffer.concat(lines.flatMap((line, index) => [Buffer.from(index === 0 ? '\n' : ',\n'), toJson(columns, line)]))

/**
 * Takes the messages in chunks of these sizes, repeated, each amid other bytes and overwritten afterwards. A header
 * that is incomplete is repeated with the next chunk, as CopyMessages does.
 */
function takeInChunks (to: MessagesToJson, bytes: Buffer, sizes: number[], out: ByteQueue): number {
  let position = 0
  let kept: Buffer = Buffer.alloc(0)
  for (let index = 0; position < bytes.length; index++) {
    const chunk = bytes.subarray(position, position + (sizes[index % sizes.length] as number))
    const amid = Buffer.concat([Buffer.from('d\\N"'), kept, chunk, Buffer.from('x"\\\td\n')])
    const end = amid.length - 6
    const taken = to.takeMessages(amid, 4, end, out)
    kept = Buffer.from(amid.subarray(taken, end))
    amid.fill(0xff)
    position += chunk.length
    if (kept.length >= 5) return position - kept.length
  }
  return position - kept.length
}

interface Written { json: Buffer, rows: number, taken: number, isMalformed: boolean }

function write (columns: EncodedColumn[], bytes: Buffer, sizes: number[] = [bytes.length], to = transcoder): Written {
  const out = new ByteQueue()
  to.startTable(columns)
  const taken = takeInChunks(to, bytes, sizes, out)
  return { json: Buffer.concat(out.take()), rows: to.rows, taken, isMalformed: to.isMalformed }
}

const chunkSizes = fc.oneof(
  fc.constantFrom<number[]>([1], [7], [61], [1000]),
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })
)

t.test('any rows become the JSON that the transcoder in TypeScript writes, in chunks of any sizes', async (t) => {
  const property = fc.property(table, chunkSizes, ({ columns, rows }, sizes) => {
    const lines = rows.map(lineOf)
    const bytes = Buffer.concat(lines.map((line) => message(line)))
    const json = expected(columns, lines)
    const whole = { json, rows: rows.length, taken: bytes.length, isMalformed: false }
    deepStrictEqual(write(columns, bytes), whole)
    deepStrictEqual(write(columns, bytes, sizes), whole)
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 300 }) })
})

t.test('rows without headers become the same, small and large', async (t) => {
  const property = fc.property(table, fc.boolean(), ({ columns, rows }, flushesEach) => {
    const out = new ByteQueue()
    transcoder.startTable(columns)
    const texts = rows.map(lineOf)
    for (const line of texts) {
      transcoder.takeRow(Buffer.concat([Buffer.from('<'), line, Buffer.from('>')]), 1, 1 + line.length, out)
      if (flushesEach) transcoder.flush(out)
    }
    transcoder.flush(out)
    deepStrictEqual(Buffer.concat(out.take()), expected(columns, texts))
    strictEqual(transcoder.rows, rows.length)
  })
  t.doesNotThrow(() => { fc.assert(property) })
  const columns = [column('c', 'text')]
  const texts = [10, 4000, 5000, 4095, 4096, 4097, 100_000, 1, ...Array.from({ length: 40 }, () => 3000)].map(
    (size) => Buffer.from(`${'"'.repeat(size)}\n`)
  )
  const out = new ByteQueue()
  transcoder.startTable(columns)
  for (const line of texts) transcoder.takeRow(line, 0, line.length, out)
  transcoder.flush(out)
  t.ok(Buffer.concat(out.take()).equals(expected(columns, texts)))
})

t.test('a malformed row without a header throws, at the latest when it is flushed', async (t) => {
  const refused = { message: 'a line of COPY text has more or fewer fields than its table has columns' }
  for (const [size, flushes] of [[10, true], [5000, false]] as const) {
    const to = createTranscoder()
    const out = new ByteQueue()
    to.startTable([column('c', 'text')])
    const line = Buffer.from(`${'x'.repeat(size)}\ty\n`)
    if (flushes) to.takeRow(line, 0, line.length, out)
    t.throws(() => { flushes ? to.flush(out) : to.takeRow(line, 0, line.length, out) }, refused)
    t.throws(() => { to.flush(out) }, refused, 'the error stays')
    t.equal(to.rows, 0)
  }
})

/** Texts around the sizes that the transcoder processes at once. */
const lengths = [0, 1, 2, 3, 13, 14, 15, 16, 17, 18, 30, 31, 32, 33, 63, 64, 65, 127, 128, 129]

t.test('every special character at every position of every length is translated', async (t) => {
  const encodings: Encoding[] = ['text', 'text[]', 'jsonb']
  const specials = ['"', '\\', '\t', '\v', '\x1f', 'é', ',', '}', '']
  for (const encoding of encodings) {
    const columns = [column('c', encoding), column('d', 'text')]
    const lines = specials.flatMap((special) => lengths.flatMap((length) =>
      [0, 1, length >> 1, length - 2, length - 1, length].filter((at) => at >= 0).map((at) => {
        const text = 'x'.repeat(at) + special + 'y'.repeat(Math.max(0, length - at))
        const value = encoding === 'text'
          ? text
          : encoding === 'jsonb' ? JSON.stringify(text) : `{"${text.replaceAll(/["\\]/g, '\\$&')}"}`
        return copyLine([value, ''])
      })))
    const bytes = Buffer.concat(lines.map((line) => message(line)))
    const json = expected(columns, lines)
    for (const sizes of [[bytes.length], [16], [13, 29]]) {
      t.ok(write(columns, bytes, sizes).json.equals(json), `${encoding} in chunks of ${sizes.join()}`)
    }
  }
})

t.test('an empty, a NULL and a short field are translated at each position, up to the last byte', async (t) => {
  const values: Record<Encoding, string[]> = {
    text: ['', '\\N', 'N', '-', '\\\\'],
    number: ['0', '\\N', '-1', '-Infinity', 'NaN', '-1.7976931348623157e+308'],
    boolean: ['t', 'f', '\\N'],
    jsonb: ['1', '\\N', '""', 'null'],
    'text[]': ['{}', '{N}', '{NULL}', '{NULL,NULLS}', '{"",N}', '\\N', '[0:0]={a}', '{NULL\\b}', '{\\b}'],
    'number[]': ['{}', '{1}', '{-1,NULL,-Infinity}', '{NULL,NaN,1e+20}', '\\N', '[0:0]={1}', '{{1,2},{3,4}}'],
    'boolean[]': ['{}', '{t}', '{f,NULL}', '\\N']
  }
  for (const encoding of Object.keys(values) as Encoding[]) {
    const columns = ['a', 'b', 'c'].map((name) => column(name, encoding))
    for (const first of values[encoding]) {
      for (const last of values[encoding]) {
        const lines = [`${first}\t${last}\t${last}\n`, `${last}\t${first}\t${last}\n`]
        const bytes = Buffer.concat(lines.map((line) => message(line)))
        for (const size of [1, 3, bytes.length]) {
          const { json } = write(columns, bytes, [size])
          if (!json.equals(expected(columns, lines))) t.fail(`${first} and ${last} in chunks of ${size}`)
        }
      }
    }
  }
})

t.test('other words of four letters are not NULL, nor is a longer one, whatever the delimiter is', async (t) => {
  const elements = ['NUDE', 'NULS', 'NOLL', 'xULL', 'NULLS', 'NUL', 'NU', 'N', '"NULL"', 'NULL', 'NULL\\b', 'null']
  for (const delimiter of [',', ';', '\t']) {
    const columns = [column('c', 'text[]', delimiter)]
    const line = `{${elements.join(copyField(delimiter))}}\n`
    for (const size of [1, 4, 100]) {
      t.strictSame(write(columns, message(line), [size]).json, expected(columns, [line]))
    }
  }
})

t.test('a message that is no row is left, at any place, and so is an incomplete header', async (t) => {
  const columns = [column('c', 'text')]
  const rows = ['a\n', 'b\n'].map((line) => message(line))
  const bytes = Buffer.concat([...rows, message('', 'c'), message('COPY 2\0', 'C')])
  const end = Buffer.concat(rows).length
  for (let size = 1; size <= bytes.length; size++) {
    t.match(write(columns, bytes, [size]), { taken: end, rows: 2, isMalformed: false }, `chunks of ${size}`)
  }
  t.match(write(columns, message('x', 'c')), { taken: 0, rows: 0 })
  // Not the protocol of PostgreSQL
  t.match(write(columns, Buffer.from('d\0\0\0\x03a\n')), { taken: 0, rows: 0 })
  for (let size = 1; size < 5; size++) t.match(write(columns, message('a\n').subarray(0, size)), { taken: 0 })
})

t.test('rows larger than the memory, and many in one chunk, are translated', async (t) => {
  const columns = [column('a', 'text'), column('b', 'jsonb'), column('c', 'text[]'), column('d', 'number[]')]
  const long = 'abc"\\é'.repeat(20_000)
  const rows = [
    [long, JSON.stringify(long), `{"${long.replaceAll(/["\\]/g, '\\$&')}"}`, `{${'1,-2.5,NULL,'.repeat(10_000)}3}`],
    ...Array.from({ length: 3000 }, (_, index) => [`${index}`, null, '{}', `{${index}}`]),
    ['\x01'.repeat(100_000), '[]', '{a}', '{}']
  ]
  const lines = rows.map(copyLine)
  const bytes = Buffer.concat(lines.map((line) => message(line)))
  const json = expected(columns, lines)
  for (const size of [bytes.length, 65_537, 8192]) {
    const written = write(columns, bytes, [size])
    t.ok(written.json.equals(json), `in chunks of ${size}`)
    t.equal(written.rows, rows.length)
  }
})

t.test('a table may have no columns, or many with long names', async (t) => {
  t.equal(write([], Buffer.concat([message('\n'), message('\n')]), [1]).json.toString(), '\n{},\n{}')
  const columns = Array.from({ length: 1600 }, (_, index) => column(`${index}`.padStart(63, '\x01'), 'number'))
  const line = `${columns.map((_, index) => index).join('\t')}\n`
  for (const size of [1, 100_000]) t.ok(write(columns, message(line), [size]).json.equals(expected(columns, [line])))
  const odd = ['__proto__', 'a"b', 'a\\b', 'a\nb', 'über', ''].map((name) => column(name, 'text'))
  const empty = '\t\t\t\t\t\n'
  t.strictSame(write(odd, message(empty), [1]).json, expected(odd, [empty]))
})

t.test('a row is refused unless it has one field for each column and ends with its message', async (t) => {
  const columns = (['text', 'jsonb', 'text[]', 'number', 'boolean', 'text[]', 'text'] as const).map(
    (encoding, index) => column(`c${index}`, encoding)
  )
  const line = 'abc\\v\t{"a": "b\\\\n"}\t{a,"b c"}\t-1234\tt\t{NULL}\t\\N\n'
  const isMalformed = (of: EncodedColumn[], bad: string): boolean => {
    const results = [[1], [7], [1000]].map((sizes) => {
      const out = createTranscoder()
      return write(of, Buffer.concat([message(bad), message(line)]), sizes, out).isMalformed
    })
    t.equal(new Set(results).size, 1, bad)
    return results[0] === true
  }
  t.notOk(isMalformed(columns, line))
  for (let length = 0; length < line.length; length++) {
    t.ok(isMalformed(columns, line.slice(0, length)), `${length} bytes of it`)
  }
  for (let length = 0; length <= line.lastIndexOf('\t'); length++) {
    t.ok(isMalformed(columns, `${line.slice(0, length)}\n`), `${length} bytes of it and a new line`)
  }
  for (const more of ['\n', 'x', '\tx\n', line]) t.ok(isMalformed(columns, line + more))
  t.ok(isMalformed(columns.slice(0, 6), line))
  t.ok(isMalformed([...columns, column('more', 'text')], line))
  t.ok(isMalformed([], 'x\n'))
  t.ok(isMalformed([], ''))
  t.ok(isMalformed([column('c', 'text[]')], '{"a\tb"}\n'))
  t.ok(isMalformed([column('c', 'text[]')], '{a\tb}\n'))
  t.ok(isMalformed([column('c', 'boolean')], 'true\n'))
})

function malformedAfterOneRow (t: Test): { to: MessagesToJson, out: ByteQueue } {
  const to = createTranscoder()
  const out = new ByteQueue()
  to.startTable([column('c', 'text')])
  const bytes = Buffer.concat(['a\n', 'b\tc\n', 'd\n'].map((line) => message(line)))
  t.equal(to.takeMessages(bytes, 0, bytes.length, out), bytes.length)
  t.ok(to.isMalformed)
  t.equal(to.rows, 1)
  return { to, out }
}

t.test('after a malformed row, rows are dropped up to the end of the COPY', async (t) => {
  const { to, out } = malformedAfterOneRow(t)
  out.take()
  const rest = Buffer.concat([message('e\n'), message('', 'c')])
  t.equal(takeInChunks(to, rest, [1], out), message('e\n').length)
  t.strictSame(out.take(), [])
  t.equal(to.rows, 1)
})

t.test('dropRows() drops the rest of a row and the rows after it', async (t) => {
  const to = createTranscoder()
  const out = new ByteQueue()
  to.startTable([column('c', 'text')])
  const bytes = Buffer.concat([message('a\n'), message('bbbb\\\\bb\n')])
  const end = bytes.indexOf('\\') + 1
  t.equal(to.takeMessages(bytes, 0, end, out), end)
  out.take()
  to.dropRows()
  const rest = Buffer.concat([bytes.subarray(end), message('c\n'), message('', 'c')])
  t.equal(to.takeMessages(rest, 0, rest.length, out), rest.length - 5)
  t.strictSame(out.take(), [])
  t.equal(to.rows, 1)
  t.notOk(to.isMalformed)
})

t.test('without WebAssembly, or without its SIMD, there is none', async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  const withoutSimd = { Module: class { constructor () { throw new Error('no SIMD') } } }
  const created = [undefined, withoutSimd].map((value) => {
    Object.defineProperty(globalThis, 'WebAssembly', { ...own, value })
    const transcoder = createMessagesToJson()
    Object.defineProperty(globalThis, 'WebAssembly', own)
    return transcoder
  })
  t.strictSame(created, [undefined, undefined])
})
