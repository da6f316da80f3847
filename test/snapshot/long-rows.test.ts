import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { LimitExceeded, SnapshotInvalid } from '../../lib/errors.ts'
import { findProblems } from '../../lib/snapshot/find-problems.ts'
import { readSnapshot, type ReadSnapshot } from '../../lib/snapshot/snapshot-reader.ts'
import { unlimited } from '../../lib/snapshot/snapshot-input.ts'
import { tableOf } from './manifest.ts'
import { chunksOf, fileOf, readAll, writeFileOf } from './snapshot-file.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const users = tableOf('users', [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'text' },
  { name: 'tags', type: 'text[]' },
  { name: 'profile', type: 'jsonb' }
])
const short = '1\tAda\t{x}\t{"a": 1}\n'
const long = [
  `2\t${'Ada said "hi"\\\\n'.repeat(100_000)}\t{}\t1\n`,
  `3\tx\t{${'"a b",c,'.repeat(200_000)}d}\t\\N\n`,
  `4\tx\t{}\t{"a": ["${'x, \\\\n'.repeat(250_000)}"]}\n`,
  `5\t${'é'.repeat(800_000)}\t{${'x'.repeat(1000)}}\t[${' '.repeat(2_000_000)}1]\n`
]
const sizes = [[65_536], [1000], [17, 200_000], [1024 * 1024 + 1], [Infinity]]

async function readParts (
  source: AsyncIterable<Buffer>, rowBytes = Infinity
): Promise<{ copied: string, read: ReadSnapshot | Error }> {
  let copied = ''
  const read = await readSnapshot(source, async () => ({
    keep: () => true,
    write: async (part) => { copied += part.toString('latin1') }
  }), undefined, { ...unlimited, rowBytes }).catch((error: Error) => error)
  return { copied: Buffer.from(copied, 'latin1').toString(), read }
}

t.test('long rows among short ones are read, in any chunks', async (t) => {
  for (const rows of [[short, ...long, short], [long[3] as string]]) {
    const { file, manifest } = await writeFileOf(t, [users], { users: rows })
    for (const size of sizes) {
      const { copied, rows: counts, ...read } = await readAll(chunksOf(file, ...size))
      t.ok(copied.get('users') === rows.join(''), `${rows.length} rows in chunks of ${size.join()}`)
      t.equal(counts.get('users'), rows.length)
      t.strictSame(findProblems(read, manifest), [])
    }
  }
})

t.test('columns of long rows that are not kept are read and discarded', async (t) => {
  const { file, manifest } = await writeFileOf(t, [users], { users: [...long, short] })
  const { copied, ...read } = await readAll(chunksOf(file, 65_536), ({ name }) => name === 'id')
  t.equal(copied.get('users'), '2\n3\n4\n5\n1\n')
  t.strictSame(findProblems(read, manifest), [])
})

t.test('a long row in a formatting that the writer does not use is read, in any chunks', async (t) => {
  const { file, manifest } = await writeFileOf(t, [users], { users: [short, ...long, short] })
  const respelled = Buffer.from(file.toString().replaceAll(/,"profile":|\},?\n/g, ' $&'))
  for (const size of sizes) {
    const { copied, rows, ...read } = await readAll(chunksOf(respelled, ...size))
    t.ok(copied.get('users') === [short, ...long, short].join(''), `in chunks of ${size.join()}`)
    t.equal(rows.get('users'), long.length + 2)
    t.strictSame(findProblems(read, manifest).length > 0, true, 'its checksums differ')
  }
})

const longRow = (name: string): string => `{"id":"2","name":"${name}","tags":[],"profile":null}`
const shortRow = '{"id":"1","name":"Ada","tags":[],"profile":null}'

/** A file with a short row and a long one, which ends with `end`. */
const withEnd = (end: string): Buffer =>
  fileOf([users], `{"users":[\n${shortRow},\n${longRow('x'.repeat(3_000_000)).slice(0, -1)}${end}`)

t.test('nothing of a long row is written that is malformed at its end, and the error names it', async (t) => {
  for (const [end, problem] of [
    [']},\n', 'row 2: .* was expected'],
    [',"more":1},\n', 'row 2: .* not a column'],
    ['},\n]', 'row 3: .* was expected'],
    ['}\n;', 'row 2: a comma before the next row, or .* was expected']
  ] as const) {
    for (const size of sizes) {
      const { copied, read } = await readParts(chunksOf(withEnd(end), ...size))
      t.ok(read instanceof SnapshotInvalid)
      t.match(String(read), new RegExp(`table "users", ${problem}`))
      if (problem.startsWith('row 2')) t.ok('1\tAda\t{}\tnull\n'.startsWith(copied), `${copied.length} bytes`)
    }
  }
})

t.test('nothing of a long row is written that is not complete', async (t) => {
  const file = withEnd('}\n]}')
  const end = file.lastIndexOf('}\n]')
  for (const length of [end - 1_000_000, end - 10, end, end + 1, end + 2]) {
    for (const size of sizes) {
      const { copied, read } = await readParts(chunksOf(file.subarray(0, length), ...size))
      t.match(String(read), /table "users", row 2: the file is truncated/)
      t.ok('1\tAda\t{}\tnull\n'.startsWith(copied), `${copied.length} bytes`)
    }
  }
})

t.test('the limit of a row is exact for a long one, and less than a chunk more is read', async (t) => {
  const row = longRow('x'.repeat(3_000_000))
  const file = withEnd('}\n]}')
  for (const size of [[65_536], [1000], [Infinity]]) {
    const { copied, read } = await readParts(chunksOf(file, ...size), row.length)
    t.match(read, { sizeBytes: file.length })
    t.ok(copied === `1\tAda\t{}\tnull\n2\t${'x'.repeat(3_000_000)}\t{}\tnull\n`, `${copied.length} characters`)
    t.ok((await readParts(chunksOf(file, ...size), row.length - 1)).read instanceof LimitExceeded)
  }
  let given = 0
  async function * source (): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(file, 1000)) {
      given += chunk.length
      yield chunk
    }
  }
  t.ok((await readParts(source(), 2_000_000)).read instanceof LimitExceeded)
  const before = file.indexOf(row.slice(0, 30))
  t.ok(given > before + 2_000_000 && given < before + 2_002_000, `${given - before} bytes`)
})

t.test('the progress counts a long row when it is written, and its position never decreases', async (t) => {
  const { file } = await writeFileOf(t, [users], { users: [short, ...long, short] })
  const ends = [...file.toString('latin1').matchAll(/\}(?:,(?=\n)|\n\])/g)]
    .map(({ index, 0: { length } }) => index + length)
  const reports: Array<{ rows: number, bytes: number }> = []
  await readSnapshot(
    chunksOf(file, 65_536), async () => ({ keep: () => true, write: async () => {} }),
    (_table, rows, bytes) => { reports.push({ rows, bytes }) }
  )
  t.strictSame(reports, reports
    .map(({ bytes }) => ({ rows: ends.filter((end) => end <= bytes).length, bytes }))
    .toSorted((a, b) => a.bytes - b.bytes))
  t.ok(reports.length > 20)
})

t.test('a long row whose bytes change between the two readings is refused', async (t) => {
  const chunks: Buffer[] = []
  async function * source (): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(withEnd('}\n]}'), 65_536)) {
      chunks.push(chunk)
      yield chunk
    }
  }
  const read = readSnapshot(source(), async () => ({
    keep: () => true,
    write: async () => { for (const chunk of chunks) chunk.fill('\n') }
  }))
  await t.rejects(read, { message: /table "users", row 2: its bytes changed while they were read/ })
})

/** The bytes in buffers that are in use. V8 frees what earlier tests have left in several turns of the event loop. */
async function bufferBytes (): Promise<number> {
  let least = Infinity
  for (let turn = 0; turn < 10; turn++) {
    await setImmediate()
    collectGarbage()
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

/** The most bytes in buffers, beyond those before and after, while a row of so many bytes is read. */
async function memoryOf (t: Test, rowBytes: number): Promise<number> {
  const chunkSize = 65_536
  const [head = '', tail = ''] = withEnd('}\n]}').toString().split('x'.repeat(3_000_000))
  let most = 0
  let calls = 0
  const before = await bufferBytes()
  function measure (): void {
    if (calls++ % 100 !== 0) return
    collectGarbage()
    most = Math.max(most, process.memoryUsage().arrayBuffers)
  }
  async function * source (): AsyncGenerator<Buffer> {
    yield Buffer.from(head)
    for (let at = 0; at < rowBytes; at += chunkSize) {
      yield Buffer.alloc(chunkSize, 'x')
      measure()
    }
    yield Buffer.from(tail)
  }
  let written = 0
  await readSnapshot(source(), async () => ({
    keep: () => true,
    write: async (part) => {
      written += part.length
      measure()
    }
  }))
  t.ok(written > rowBytes)
  return most - Math.min(before, await bufferBytes())
}

t.test('a long row needs as much memory as it has bytes, and none for its output', async (t) => {
  const rowBytes = 50_000_000
  const most = await memoryOf(t, rowBytes)
  t.ok(most > 0.9 * rowBytes && most < 1.1 * rowBytes, `${most} bytes`)
})
