import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { RangeInvalid } from '../../lib/errors.ts'
import { pieceSize } from '../../lib/snapshot/codec/byte-queue.ts'
import { findTableProblems } from '../../lib/snapshot/find-problems.ts'
import { readSelectedTables } from '../../lib/snapshot/read-selected-tables.ts'
import { createPartsReader } from '../../lib/snapshot/read-with-progress.ts'
import type { ByteRange, ManifestTable, Progress } from '../../types/index.ts'
import { tableOf } from './manifest.ts'
import { chunksOf, writeFileOf } from './snapshot-file.ts'

const MiB = 1024 * 1024
const tables = ['a', 'b', 'c'].map((name) => tableOf(name, [{ name: 'text', type: 'text' }]))
const truncated = { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /the file is truncated/ }

interface StoredFile {
  file: Buffer
  a: ManifestTable
  b: ManifestTable
  c: ManifestTable
  /** The ranges that were opened. */
  ranges: ByteRange[]
  streams: Readable[]
  open: (range?: ByteRange) => Promise<Readable>
}

const lines = { a: ['one\n', 'two\n'], c: ['three\n'] }

/** A file with three tables, of which the second has one row of so many characters. */
async function useFile (
  t: Test, size: number, change: (file: Buffer) => Buffer = (file) => file, others = lines
): Promise<StoredFile> {
  const written = await writeFileOf(t, tables, { ...others, b: [`${'x'.repeat(size)}\n`] })
  const file = change(written.file)
  const [a, b, c] = written.manifest.tables as [ManifestTable, ManifestTable, ManifestTable]
  const ranges: ByteRange[] = []
  const streams: Readable[] = []
  return {
    file,
    a,
    b,
    c,
    ranges,
    streams,
    async open (range = { start: 0, end: file.length - 1 }) {
      const { start, end } = range
      ranges.push(range)
      if (start >= file.length) throw new RangeInvalid(file.length)
      const stream = Readable.from(chunksOf(file.subarray(start, end + 1), 1000))
      streams.push(stream)
      return stream
    }
  }
}

/** What is read of each table, in the order of the reading. */
async function readRowsOf (
  open: StoredFile['open'], wanted: ManifestTable[]
): Promise<{ copied: Array<[string, string]>, problems: string[] }> {
  const copied: Array<[string, string]> = []
  const read = await readSelectedTables(open, wanted, async ({ name }) => {
    const own: [string, string] = [name, '']
    copied.push(own)
    return { keep: () => true, write: async (copyText) => { own[1] += copyText.toString() } }
  }, () => {})
  return { copied, problems: findTableProblems(read) }
}

const rangeOf = (first: ManifestTable, last = first): ByteRange =>
  ({ start: first.offset, end: last.offset + last.bytes - 1 })

t.test('only the bytes of the wanted tables are read, in the order of the file', async (t) => {
  const { a, b, c, open, ranges, streams } = await useFile(t, 2 * MiB)
  const both = { copied: [['a', 'one\ntwo\n'], ['c', 'three\n']], problems: [] }
  t.strictSame(await readRowsOf(open, [c, a]), both)
  t.strictSame(ranges, [rangeOf(a), rangeOf(c)])
  t.strictSame(await readRowsOf(open, [b]), { copied: [['b', `${'x'.repeat(2 * MiB)}\n`]], problems: [] })
  t.strictSame(ranges.at(-1), rangeOf(b))
  t.strictSame(await readRowsOf(open, []), { copied: [], problems: [] })
  t.equal(ranges.length, 3)
  t.ok(streams.every(({ destroyed }) => destroyed))
})

t.test('up to 1 MiB between two tables is read with them, and more is not', async (t) => {
  const empty = await useFile(t, 0)
  const around = empty.c.offset - empty.a.offset - empty.a.bytes
  for (const more of [0, 1]) {
    const { a, c, open, ranges } = await useFile(t, MiB - around + more)
    t.equal(c.offset - a.offset - a.bytes, MiB + more)
    t.strictSame(
      await readRowsOf(open, [a, c]), { copied: [['a', 'one\ntwo\n'], ['c', 'three\n']], problems: [] }
    )
    t.strictSame(ranges, more === 0 ? [rangeOf(a, c)] : [rangeOf(a), rangeOf(c)])
  }
})

t.test('tables that overlap are each read from their own position', async (t) => {
  const { a, open, ranges } = await useFile(t, 10)
  t.strictSame(await readRowsOf(open, [a, { ...a, name: 'twin' }]), {
    copied: [['a', 'one\ntwo\n'], ['twin', 'one\ntwo\n']], problems: []
  })
  t.strictSame(ranges, [rangeOf(a), rangeOf(a)])
})

t.test('damage in a table that is not wanted is not noticed, and damage in a wanted one by its name', async (t) => {
  const { a, b, c, open } = await useFile(t, 10, (file) => Buffer.from(file.toString().replace('xxx', 'x"x')))
  t.strictSame(await readRowsOf(open, [a, c]), { copied: [['a', 'one\ntwo\n'], ['c', 'three\n']], problems: [] })
  await t.rejects(readRowsOf(open, [b]), { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /table "b", row 1/ })
  const other = await useFile(t, 10, (file) => Buffer.from(file.toString().replace('xxx', 'xyx')))
  const { problems } = await readRowsOf(other.open, [a, b, c])
  t.strictSame(problems, ['the rows of table "b" do not match their checksum in the manifest'])
})

t.test('a file that ends before, between or within wanted tables is truncated', async (t) => {
  const whole = await useFile(t, 5000)
  for (const [length, wanted] of [
    [whole.c.offset, ['c']],
    [whole.b.offset, ['c']],
    [whole.b.offset + 100, ['a', 'c']],
    [whole.c.offset + 5, ['c']]
  ] as const) {
    const { open, streams, ...file } = await useFile(t, 5000, (file) => file.subarray(0, length))
    await t.rejects(readRowsOf(open, wanted.map((name) => file[name])), truncated, `${length} ${wanted.join()}`)
    t.ok(streams.every(({ destroyed }) => destroyed))
  }
})

t.test('another error of the storage is passed on unchanged', async (t) => {
  const { a } = await useFile(t, 10)
  const error = new Error('mine')
  await t.rejects(readRowsOf(async () => { throw error }, [a]), error)
})

t.test('the whole file in place of a range is refused', async (t) => {
  const { a, open } = await useFile(t, 10)
  await t.rejects(readRowsOf(async () => await open(), [a]), {
    code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /table "a", row 1: a list of rows was expected/
  })
})

t.test('progress counts the bytes of all wanted tables, and never goes backwards', async (t) => {
  const { a, c, open } = await useFile(t, 2 * MiB, undefined, {
    ...lines, a: Array.from({ length: 6 }, () => `${'x'.repeat(pieceSize / 2)}\n`)
  })
  const reports: Array<Partial<Progress>> = []
  const { signal } = new AbortController()
  const onProgress = (progress: Partial<Progress>): void => { reports.push(progress) }
  const read = createPartsReader({ open, onProgress, signal }, 'load', [a, c])
  const discard = async (): Promise<{ keep: () => boolean, write: () => Promise<void> }> =>
    ({ keep: () => true, write: async () => {} })
  const bytesTotal = a.bytes + c.bytes
  await read([a], discard)
  t.match(reports.at(-1), { phase: 'load', table: 'a', rows: 6, rowsTotal: 7, bytes: a.bytes, bytesTotal })
  t.ok(reports.length > 2)
  await read([a, c], discard)
  t.match(reports.at(-1), { table: 'c', tables: 2, tablesDone: 1, rows: 7, bytes: bytesTotal, bytesTotal })
  const bytes = reports.map((report) => Number(report.bytes))
  t.strictSame(bytes, bytes.toSorted((x, y) => x - y))
})
