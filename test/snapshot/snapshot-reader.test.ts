import { deepStrictEqual, equal } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Readable } from 'node:stream'
import fc from '../support/fast-check.ts'
import t, { type Test } from 'tap'
import { SnapshotInvalid } from '../../lib/errors.ts'
import type { BinaryColumn } from '../../lib/snapshot/codec/binary-encoders.ts'
import { pieceSize } from '../../lib/snapshot/codec/byte-queue.ts'
import { encodeHead, frameManifest, type TableDraft } from '../../lib/snapshot/file-format.ts'
import { findProblems } from '../../lib/snapshot/find-problems.ts'
import { readManifest, readSnapshot } from '../../lib/snapshot/snapshot-reader.ts'
import type { Manifest, ManifestTable } from '../../types/index.ts'
import { lineOf, type Table, table } from './arbitrary-table.ts'
import { manifestOf, tableOf } from './manifest.ts'
import { chooser, respellRow, space } from './respell.ts'
import { chunksOf, fileOf, type Read, readAll, writeFileOf } from './snapshot-file.ts'
import { toJson } from './transcode.ts'

const users = tableOf('users', [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'text' },
  { name: 'tags', type: 'text[]' },
  { name: 'profile', type: 'jsonb' }
])
const carts = tableOf('carts', [{ name: 'total', type: 'integer' }])
const lines = { users: ['1\tAda\t{x,"y z"}\t{"a": 1}\n', '2\tBob\t\\N\t\\N\n'], carts: ['7\n', '\\N\n'] }
const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const read = async (file: Uint8Array | string): Promise<Read> => await readAll(chunksOf(Buffer.from(file), 65_536))

/** Why the file that was read is not the one that was written. */
const problemsOf = (result: Read): string[] => findProblems(result, { id: null, checksum: null })

/** The problem of a file; for any other error, a text that shows it. */
async function problemOf (work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing'
  } catch (error) {
    return error instanceof SnapshotInvalid
      ? error.message.replace('The snapshot file is damaged or was changed: ', '')
      : `another error: ${String(error)}`
  }
}

t.test('a written file is read with its rows, their number and place, and their checksums', async (t) => {
  const { file, manifest } = await writeFileOf(t, [users, carts], lines)
  const { copied, rows, ...result } = await read(file)
  t.strictSame(copied, new Map([['users', lines.users.join('')], ['carts', lines.carts.join('')]]))
  t.strictSame(rows, new Map([['users', 2], ['carts', 2]]))
  t.strictSame(result, {
    manifest,
    isManifestIntact: true,
    tables: manifest.tables.map((table) => {
      const { offset, bytes, checksum } = table
      return { table, rows: 2, section: { offset, bytes, checksum } }
    }),
    isFrameIntact: true,
    sizeBytes: file.length
  })
})

t.test('a snapshot may have no tables, and tables may have no rows or columns', async (t) => {
  const bare = tableOf('bare', [])
  t.strictSame((await read((await writeFileOf(t, [], {})).file)).copied, new Map())
  t.strictSame(
    (await read((await writeFileOf(t, [bare, users], { bare: ['\n', '\n'] })).file)).copied,
    new Map([
      ['bare', '\n\n'],
      ['users', '']
    ])
  )
})

t.test('tables and columns may have the names of properties of Object.prototype', async (t) => {
  const tables = ['__proto__', 'constructor'].map((name) =>
    tableOf(name, [
      { name: 'toString', type: 'text' },
      { name: '__proto__', type: 'valueOf' },
      { name: 'constructor', type: 'constructor[]' }
    ])
  )
  const { file } = await writeFileOf(t, tables, { ['__proto__']: ['a\tb\t{c}\n'], constructor: ['d\te\t{f}\n'] })
  t.strictSame((await read(file)).copied, new Map([['__proto__', 'a\tb\t{c}\n'], ['constructor', 'd\te\t{f}\n']]))
})

t.test('the caller is asked for the target of each table, with the manifest', async (t) => {
  const { file, manifest } = await writeFileOf(t, [users, carts], lines)
  const opened: Array<[ManifestTable, Manifest]> = []
  await readSnapshot(chunksOf(file, 100), async (...args) => {
    opened.push(args)
    return { keep: () => true, write: async () => {} }
  })
  t.strictSame(opened, manifest.tables.map((table) => [table, manifest]))
})

t.test('columns that are not kept are read and discarded', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], lines)
  const { copied, rows } = await readAll(chunksOf(file, 65_536), ({ encoding }) => encoding === 'text')
  t.strictSame(copied, new Map([['users', '1\tAda\n2\tBob\n'], ['carts', '\n\n']]))
  t.strictSame(rows, new Map([['users', 2], ['carts', 2]]))
})

t.test('rows are not read before the previous ones have been written', async (t) => {
  const { file } = await writeFileOf(t, [users], {
    users: Array.from({ length: 20 }, (_, id) => `${id}\t${'x'.repeat(100_000)}\t{}\t1\n`)
  })
  let given = 0
  async function * source (): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(file, 65_536)) {
      given += chunk.length
      yield chunk
    }
  }
  const waiting: Array<() => void> = []
  const reading = readSnapshot(source(), async () => ({
    keep: () => true,
    write: async () => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
  }))
  while (waiting.length === 0) await setImmediate()
  const before = given
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  t.equal(given, before)
  t.ok(given < file.length / 2)
  t.equal(waiting.length, 1)
  const state = { ended: false }
  const ended = reading.then(() => { state.ended = true })
  while (!state.ended) {
    waiting.shift()?.()
    await setImmediate()
  }
  await ended
  t.equal(given, file.length)
})

t.test('progress contains table, rows and bytes', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], {
    ...lines,
    users: Array.from({ length: 4 }, (_, id) => `${id}\t${'x'.repeat(pieceSize / 2)}\t{}\t1\n`)
  })
  const reports: Array<[string, number]> = []
  let last = 0
  await readSnapshot(
    chunksOf(file, 65_536),
    async () => ({ keep: () => true, write: async () => {} }),
    (table, rows, bytes) => {
      reports.push([table, rows])
      t.ok(bytes >= last && bytes <= file.length)
      last = bytes
    }
  )
  t.strictSame(reports.at(-1), ['carts', 2])
  t.strictSame([...new Set(reports.map(([table]) => table))], ['users', 'carts'])
  t.strictSame(reports.filter(([table]) => table === 'users').at(-1), ['users', 4])
  t.ok(reports.length > 3)
})

t.test('errors of the source, of the target and of the progress callback are passed on unchanged', async (t) => {
  const { file } = await writeFileOf(t, [users], lines)
  const error = new Error('mine')
  const fail = async (): Promise<never> => { throw error }
  const target = { keep: () => true, write: async () => {} }
  async function * broken (): AsyncGenerator<Buffer> {
    yield file.subarray(0, -10)
    throw error
  }
  await t.rejects(readSnapshot(broken(), async () => target), error)
  await t.rejects(readSnapshot(chunksOf(file, 100), fail), error)
  await t.rejects(readSnapshot(chunksOf(file, 100), async () => ({ ...target, write: fail })), error)
  await t.rejects(readSnapshot(chunksOf(file, 100), async () => target, () => { throw error }), error)
})

t.test('a stream may be the source', async (t) => {
  const { file } = await writeFileOf(t, [users], lines)
  const stream = Readable.from([file.subarray(0, 10), Buffer.alloc(0), file.subarray(10)])
  t.strictSame(problemsOf(await readAll(stream)), [])
})

// Formatting and chunks

t.test('a reformatted file has the same rows, and each of its checksums differs', async (t) => {
  const flat = { ...lines, users: ['1\tAda\t{x,"y z"}\t1\n', '2\tBob\t\\N\t\\N\n'] }
  const { file, manifest } = await writeFileOf(t, [users, carts], flat)
  const content = JSON.parse(file.toString()) as object
  for (const text of [
    JSON.stringify(content),
    JSON.stringify(content, null, 2),
    ` \n${JSON.stringify(content, null, '\t')}\r\n\n`
  ]) {
    const { copied, rows, ...result } = await read(text)
    t.strictSame(
      copied,
      new Map([
        ['users', flat.users.join('')],
        ['carts', flat.carts.join('')]
      ])
    )
    t.strictSame(
      rows,
      new Map([
        ['users', 2],
        ['carts', 2]
      ])
    )
    t.strictSame(result.manifest, manifest)
    t.equal(result.isFrameIntact, false)
    for (const { section: { offset, bytes, checksum }, table } of result.tables) {
      const list = Buffer.from(text).subarray(offset, offset + bytes)
      t.match(list.toString(), /^\[[^]*\]$/)
      t.equal(checksum, sha256(list))
      t.not(checksum, table.checksum)
    }
  }
})

t.test('white space anywhere around the rows is noticed', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], lines)
  const text = file.toString()
  const around = 'what is around its manifest and its rows is not as the format requires'
  for (const [changed, problems] of [
    [` ${text}`, /position/],
    [text.replace('"data":', '"data": '), /position/],
    [text.replace(' ,\n"data"', ',\n"data"'), /position/],
    [text.replace(' ,\n"data"', '\t,\n"data"'), null],
    [text.replace('"data":{\n', '"data":{\t'), null],
    [text.replace('"users":[', '"users": ['), /position/],
    [text.replace('],\n"carts"', '],\r"carts"'), null],
    [text.replace(']\n}}', ']\n} }'), null],
    [`${text}\n`, null],
    [text.slice(0, -1), null]
  ] as const) {
    const found = problemsOf(await read(changed))
    t.equal(found.at(-1), around, changed.slice(-40))
    if (problems === null) t.equal(found.length, 1)
    else t.match(found[0], problems)
  }
})

t.test('tables in another order, and rows at the place of others, are noticed', async (t) => {
  const twins = ['a', 'b'].map((name) => tableOf(name, carts.columns))
  const { file } = await writeFileOf(t, twins, { a: ['1\n'], b: ['2\n'] })
  const text = file.toString()
  const [a, b] = ['"a":[\n{"total":1}\n]', '"b":[\n{"total":2}\n]']
  const swapped = text.replace(`${a},\n${b}`, `${b},\n${a}`)
  t.match(problemsOf(await read(swapped)).join(), /table "b" are not at the position.*what is around/)
  const exchanged = text.replace('":1}', '":3}').replace('":2}', '":1}').replace('":3}', '":2}')
  t.strictSame(problemsOf(await read(exchanged)), [
    'the rows of table "a" do not match their checksum in the manifest',
    'the rows of table "b" do not match their checksum in the manifest'
  ])
})

/** The file with another manifest, which has its own checksum. */
async function withManifest (
  t: Test, change: (tables: ManifestTable[]) => Array<Partial<ManifestTable>>
): Promise<Buffer> {
  const { file, manifest } = await writeFileOf(t, [users, carts], lines)
  const { checksum, ...rest } = manifest
  const changes = change(manifest.tables)
  const tables = manifest.tables.map((table, index) => ({ ...table, ...changes[index] }))
  const json = JSON.stringify({ ...rest, tables })
  const sealed = `${json.slice(0, -1)},"checksum":"${sha256(Buffer.from(json.slice(0, -1)))}"}`
  const dataStart = file.indexOf('"data":') + '"data":'.length
  return Buffer.concat([frameManifest(sealed, dataStart), file.subarray(dataStart)])
}

t.test('a manifest with its own checksum that says anything else about the rows is refused', async (t) => {
  t.strictSame(problemsOf(await read(await withManifest(t, () => []))), [])
  const largest = Number.MAX_SAFE_INTEGER
  for (const [what, change] of [
    ['a larger offset', ([first]) => [{ offset: Number(first?.offset) + 1 }]],
    ['the largest offset', () => [{ offset: largest }]],
    ['no offset', () => [{ offset: 0 }]],
    ['a larger size', ([first]) => [{ bytes: Number(first?.bytes) + 1 }]],
    ['the largest size', () => [{}, { bytes: largest }]],
    ['the smallest size', () => [{ bytes: 2 }]],
    ['an overlap', ([first]) => [{}, { offset: Number(first?.offset) }]],
    ['exchanged places', ([first, second]) => [{ offset: second?.offset }, { offset: first?.offset }]],
    ['exchanged checksums', ([first, second]) => [{ checksum: second?.checksum }, { checksum: first?.checksum }]],
    ['another number of rows', () => [{ rows: 3 }, { rows: 1 }]]
  ] as Array<[string, (tables: ManifestTable[]) => Array<Partial<ManifestTable>>]>) {
    const problems = problemsOf(await read(await withManifest(t, change)))
    t.ok(problems.length > 0, what)
    t.notMatch(problems.join(), 'its manifest does not match', what)
  }
})

/** A file of two tables with these columns and rows, each token in a random formatting. */
function respelled (
  { columns, rows }: Table,
  seed: number
): { tables: TableDraft[], file: Buffer, canonical: Buffer } {
  const choose = chooser(seed)
  const tables = ['a', 'b'].map((name) =>
    tableOf(
      name,
      columns.map((column) => ({ ...column, type: 'any' })),
      rows.length
    )
  )
  const json = rows.map((row) => String(toJson(columns, lineOf(row))))
  const spaced = (tokens: string[]): string => tokens.map((token) => token + space(choose)).join('')
  const list = (): string =>
    spaced(['[', json.map((row) => respellRow(row, columns, choose)).join(`,${space(choose)}`), ']'])
  const data = spaced(['{', '"a"', ':', list(), ',', '"\\u0062"', ':', list(), '}'])
  const file = Buffer.from(
    spaced(['{', '"manifest"', ':', JSON.stringify(manifestOf(tables), null, choose(3)), ',', '"data"', ':', data, '}'])
  )
  return { tables, file, canonical: fileOf(tables, `{"a":[${json.join(',')}],"b":[${json.join(',')}]}`) }
}

t.test('any formatting of a file, in any chunks, has the same result', async (t) => {
  const property = fc.asyncProperty(
    table,
    fc.nat(),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
    async (table, seed, sizes) => {
      const { file, canonical } = respelled(table, seed)
      const expected = await readAll(chunksOf(canonical, canonical.length))
      const lines = table.rows.map((row) => String(lineOf(row))).join('')
      deepStrictEqual(
        expected.copied,
        new Map([
          ['a', lines],
          ['b', lines]
        ])
      )
      deepStrictEqual(await readAll(chunksOf(canonical, ...sizes)), expected)
      const whole = await readAll(chunksOf(file, file.length))
      deepStrictEqual([whole.copied, whole.rows, whole.manifest], [expected.copied, expected.rows, expected.manifest])
      deepStrictEqual(await readAll(chunksOf(file, ...sizes)), whole)
      deepStrictEqual(await readAll(chunksOf(file, 1)), whole)
    }
  )
  await t.resolves(fc.assert(property, { numRuns: 50, endOnFailure: true }))
})

t.test('chunks may end within white space', async (t) => {
  const data = { carts: [{ total: 1 }] }
  for (const spaced of [JSON.stringify(data, null, 2), JSON.stringify(data).replaceAll(/[{}[\]:,]/g, ' $& ')]) {
    const text = `${encodeHead(manifestOf([carts])).toString()} ${spaced} }`
    for (let cut = text.indexOf('"data"'); cut < text.length; cut++) {
      t.strictSame((await readAll(chunksOf(Buffer.from(text), cut))).copied, new Map([['carts', '1\n']]))
    }
  }
})

t.test('about one row is read ahead, in any formatting and any chunks', async (t) => {
  const rows = Array.from({ length: 200 }, (_, total) => ({ total, name: 'x'.repeat(2000) }))
  const spellings = [
    JSON.stringify(rows),
    JSON.stringify(rows, null, 1),
    `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]`
  ]
  const table = tableOf('carts', [...carts.columns, { name: 'name', type: 'text' }])
  for (const json of spellings) {
    for (const size of [64, 3000, 4096]) {
      const file = fileOf([table], `{"carts":${json}}`)
      let given = 0
      let furthest = 0
      async function * source (): AsyncGenerator<Buffer> {
        for await (const chunk of chunksOf(file, size)) {
          given += chunk.length
          yield chunk
        }
      }
      await readSnapshot(
        source(),
        async () => ({ keep: () => true, write: async () => {} }),
        (_table, rows, bytes) => {
          if (rows < 200) {
            furthest = Math.max(furthest, given - bytes)
          }
        }
      )
      t.ok(furthest > 0 && furthest < 10_000, `${furthest} bytes of ${file.length}, in chunks of ${size}`)
    }
  }
})

// Damage

t.test('a file that is truncated anywhere is refused', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], lines)
  for (let length = 0; length < file.length - 1; length++) {
    equal(
      (await problemOf(readAll(chunksOf(file.subarray(0, length), 50)))).endsWith('the file is truncated'),
      true,
      `${length} bytes`
    )
  }
  const withoutLast = await read(file.subarray(0, -1))
  t.strictSame(problemsOf(withoutLast), ['what is around its manifest and its rows is not as the format requires'])
})

t.test('the error for a truncated file names table and row', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], lines)
  const text = file.toString()
  const cutAfter = async (part: string): Promise<string> =>
    await problemOf(read(text.slice(0, text.indexOf(part) + part.length)))
  t.equal(await cutAfter('"manifest":{'), 'the file is truncated')
  t.equal(await cutAfter('"users":'), 'table "users", row 1: the file is truncated')
  t.equal(await cutAfter('"name":"Ad'), 'table "users", row 1: the file is truncated')
  t.equal(await cutAfter('"name":"Bo'), 'table "users", row 2: the file is truncated')
  t.equal(await cutAfter('"total":7'), 'table "carts", row 1: the file is truncated')
  t.equal(await cutAfter(']\n}'), 'the file is truncated')
})

t.test('any changed byte is detected, and no message contains a value', async (t) => {
  const secret = tableOf('people', [
    { name: 'id', type: 'integer' },
    { name: 'name', type: 'text' },
    { name: 'ok', type: 'boolean' },
    { name: 'tags', type: 'text[]' },
    { name: 'profile', type: 'jsonb' }
  ])
  const profile = '{"geheim-d": {"geheim-e": 1, "geheim-f": ["geheim-g", {"geheim-h": 2}]}, "geheim-i": 0}'
  const row = `4711\tgeheim-a\tt\t{geheim-b,"geheim c"}\t${profile}\n`
  const { file } = await writeFileOf(t, [secret, carts], { people: [row, row], carts: ['4711\n'] })
  const dataStart = file.indexOf('"data":') + '"data":'.length
  for (let position = 0; position < file.length; position++) {
    for (const byte of Buffer.from(position < dataStart ? ']"' : '{}],:"\\0\xff', 'latin1')) {
      if (file[position] === byte) continue
      const changed = Buffer.from(file)
      changed[position] = byte
      try {
        const problems = problemsOf(await readAll(chunksOf(changed, 4096)))
        equal(problems.length > 0, true, `byte ${position}`)
        equal(/geheim|4711/.test(problems.join()), false)
      } catch (error) {
        if (!(error instanceof SnapshotInvalid)) throw error
        equal(/geheim|4711/.test(error.message), false, error.message)
      }
    }
  }
  t.pass()
})

t.test('after a damaged bracket the rest of the file is not buffered', async (t) => {
  const profile = tableOf('profiles', [{ name: 'profile', type: 'jsonb' }])
  const lines = Buffer.from('{"profile":{"a": 1}},\n'.repeat(50_000))
  let given = 0
  async function * source (): AsyncGenerator<Buffer> {
    yield encodeHead(manifestOf([profile]))
    yield Buffer.from('{"profiles":[\n{"profile":1},\n{"profile":[[[1]},\n')
    for (;;) {
      given += lines.length
      yield lines
    }
  }
  t.equal(await problemOf(readAll(source())), 'table "profiles", row 2: no end was found within 64 MiB')
  t.ok(given < 150_000_000)
})

t.test('errors in rows name the table and the row', async (t) => {
  const file = (rows: string): Buffer => fileOf([users, carts], `{"users":[],"carts":[${rows}]}`)
  t.equal(
    await problemOf(read(file('{"total":1},\n{"total":01}'))),
    'table "carts", row 2: column "total": its value is malformed'
  )
  t.equal(
    await problemOf(read(file('{"total":1},{"total":"4711"}'))),
    'table "carts", row 2: column "total": a number was expected'
  )
  t.equal(await problemOf(read(file('{"total":1},{}'))), 'table "carts", row 2: column "total": its key is absent')
  t.equal(
    await problemOf(read(file('{"total":1,"more":1}'))),
    'table "carts", row 1: a key is not a column of the table'
  )
  t.equal(
    await problemOf(read(file('{"total":1,"total":1}'))),
    'table "carts", row 1: column "total": the key appears twice'
  )
  t.equal(
    await problemOf(read(file('{"total":1}{"total":1}'))),
    'table "carts", row 1: a comma before the next row, or the closing bracket, was expected'
  )
  t.equal(await problemOf(read(file('{"total":1},'))), 'table "carts", row 2: an object was expected')
  t.equal(await problemOf(read(file('[1]'))), 'table "carts", row 1: an object was expected')
})

const files: Array<[what: string, file: string | Buffer, problem: string]> = [
  ['an empty file', '', 'the file is truncated'],
  ['white space', ' \n', 'the file is truncated'],
  ['a byte order mark', `\ufeff${fileOf([], '{}').toString()}`, 'a JSON object was expected'],
  ['a list', '[]', 'a JSON object was expected'],
  ['zeros', Buffer.alloc(100_000), 'a JSON object was expected'],
  ['an empty object', '{}', 'a string was expected'],
  ['data before the manifest', '{"data":{},"manifest":{}}', 'it does not begin with a manifest'],
  [
    'a manifest twice',
    fileOf([], '{}').toString().replace(',\n"data"', ',\n"manifest":{},"data"'),
    'no data follow the manifest'
  ],
  ['data twice', fileOf([], '{},"data":{}'), 'the end of the file was expected'],
  ['text after the data', fileOf([], '{},"more":1'), 'the end of the file was expected'],
  [
    'a manifest alone',
    `${encodeHead(manifestOf())
      .toString()
      .replace(/,\n.*$/, '')}}`,
    'a comma after the manifest was expected'
  ],
  ['a manifest that is not an object', '{"manifest":1,"data":{}}', 'the manifest is not valid at its root'],
  ['a manifest that is not JSON', '{"manifest":{"a":[}},"data":{}}', 'the manifest is not JSON'],
  [
    'a manifest that is not UTF-8',
    Buffer.from(fileOf([], '{}').toString().replace('"shop"', '"sh\xffp"'), 'latin1'),
    'the manifest is not UTF-8'
  ],
  [
    'a manifest that is nested a million times',
    `{"manifest":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)},"data":{}}`,
    'the manifest is not valid at its root'
  ],
  ['data that are a list', fileOf([], '[]'), 'the data part was expected'],
  ['data that are null', fileOf([], 'null'), 'the data part was expected'],
  [
    'a table that the manifest does not name',
    fileOf([], '{"users":[]}'),
    'the data contain a table "users" that the manifest does not name'
  ],
  [
    'a table named like a property of every object',
    fileOf([], '{"__proto__":[]}'),
    'the data contain a table "__proto__" that the manifest does not name'
  ],
  ['a table twice', fileOf([carts], '{"carts":[],"carts":[]}'), 'the data contain table "carts" twice'],
  ['a table too few', fileOf([users, carts], '{"users":[]}'), 'the data lack table "carts"'],
  ['a table without a list', fileOf([carts], '{"carts":{}}'), 'table "carts", row 1: a list of rows was expected'],
  ['a table without a value', fileOf([carts], '{"carts"}'), 'a colon was expected'],
  [
    'tables without a comma',
    fileOf([users, carts], '{"users":[] "carts":[]}'),
    'a comma before the next table, or the closing bracket, was expected'
  ],
  ['a comma after the last table', fileOf([carts], '{"carts":[],}'), 'a string was expected'],
  ['text after the end', `${fileOf([], '{}').toString()}{}`, 'something follows its end'],
  ['zeros after the end', `${fileOf([], '{}').toString()}\0\0`, 'something follows its end'],
  [
    'another file after the end',
    `${fileOf([], '{}').toString()}${' '.repeat(200_000)}${fileOf([], '{}').toString()}`,
    'something follows its end'
  ]
]
for (const [what, file, problem] of files) {
  t.test(`${what}: ${problem}`, async (t) => {
    t.equal(await problemOf(read(file)), problem)
    if (file.length < 10_000) t.equal(await problemOf(readAll(chunksOf(Buffer.from(file), 1))), problem)
  })
}

t.test('any amount of white space may follow the file', async (t) => {
  const file = Buffer.concat([fileOf([], '{}'), Buffer.alloc(1_000_000, ' ')])
  t.equal((await read(file)).sizeBytes, file.length)
})

t.test('a long unknown name is truncated in the message', async (t) => {
  t.ok((await problemOf(read(fileOf([], `{"${'x'.repeat(10_000)}":[]}`)))).length < 200)
})

t.test('a value that is not UTF-8 is passed on unchanged', async (t) => {
  const parts: Buffer[] = []
  await readSnapshot(
    chunksOf(
      Buffer.from(fileOf([tableOf('a', [{ name: 'a', type: 'text' }])], '{"a":[{"a":"\xff"}]}').toString(), 'latin1'),
      1
    ),
    async () => ({
      keep: () => true,
      write: async (part) => {
        parts.push(part)
      }
    })
  )
  t.strictSame(Buffer.concat(parts), Buffer.from('\xff\n', 'latin1'))
})

// The manifest alone

t.test('readManifest() reads only the head', async (t) => {
  const { file, manifest } = await writeFileOf(t, [users], {
    users: Array.from({ length: 10 }, () => `1\t${'x'.repeat(100_000)}\t{}\t1\n`)
  })
  const stream = Readable.from(chunksOf(file, 1000))
  t.strictSame(await readManifest(stream), { manifest, isManifestIntact: true })
  t.notOk(stream.readableEnded)
  stream.destroy()
  await once(stream, 'close')
})

t.test('readManifest() does not check the rest of the file', async (t) => {
  t.strictSame(await readManifest(chunksOf(fileOf([carts], '{nonsense'), 10)), {
    manifest: manifestOf([carts]), isManifestIntact: false
  })
})

t.test('an invalid head is refused', async (t) => {
  t.equal(await problemOf(readManifest(chunksOf(Buffer.from('{"data":{}}'), 1))), 'it does not begin with a manifest')
  t.equal(await problemOf(readManifest(chunksOf(Buffer.from('no JSON'), 1))), 'a JSON object was expected')
  t.equal(await problemOf(readManifest(chunksOf(encodeHead(manifestOf()), 1))), 'the file is truncated')
})

t.test('a part that is longer than its limit is refused before all of it is buffered', async (t) => {
  const limits = { rowBytes: 100_000, manifestBytes: 50_000 }
  const readBounded = async (head: Buffer | string, filler: string, times: number): Promise<[string, number]> => {
    let taken = 0
    async function * source (): AsyncGenerator<Buffer> {
      yield Buffer.from(head)
      for (; taken < times; taken++) yield Buffer.from(filler.repeat(1000))
    }
    const nothing = { keep: () => true, write: async () => {} }
    const outcome = await readSnapshot(source(), async () => nothing, undefined, limits).then(
      () => 'read',
      ({ code, message }) => `${code} ${message}`
    )
    return [outcome, taken * filler.length * 1000]
  }
  const head = encodeHead(manifestOf([carts]))
  const encodedManifest = head.subarray(0, head.lastIndexOf('}') + 1)
  const after = (text: string): Buffer => Buffer.concat([head, Buffer.from(text)])
  for (const [start, filler, limit, most] of [
    // White space, which a file can have everywhere
    ['{', ' ', 'manifestBytes', 60_000],
    ['{"manifest":', ' ', 'manifestBytes', 60_000],
    ['{"manifest":{', ' ', 'manifestBytes', 60_000],
    [encodedManifest, ' ', 'manifestBytes', 60_000],
    [head, ' ', 'manifestBytes', 60_000],
    [after('{'), ' ', 'manifestBytes', 60_000],
    [after('{"carts"'), ' ', 'manifestBytes', 60_000],
    [after('{"carts":'), ' ', 'manifestBytes', 60_000],
    [after('{"carts":['), ' ', 'manifestBytes', 60_000],
    [after('{"carts":[{'), ' ', 'rowBytes', 110_000],
    [after('{"carts":[{"total":1}'), '\n', 'rowBytes', 110_000],
    [after('{"carts":[{"total":1},'), '\n', 'rowBytes', 110_000],
    [after('{"carts":[]'), ' ', 'manifestBytes', 60_000],
    [after('{"carts":[]}'), ' ', 'manifestBytes', 60_000],
    [after('{"carts":[]}}'), ' ', 'manifestBytes', 60_000],
    ['{"manifest":{"note":"', 'x', 'manifestBytes', 60_000],
    ['{"manifest":{"x":[', '1,', 'manifestBytes', 60_000],
    [' ', ' ', 'manifestBytes', 60_000],
    [Buffer.concat([head, Buffer.from('{"')]), 'x', 'manifestBytes', 60_000],
    [Buffer.concat([head, Buffer.from('{"carts":[{"total":"')]), 'x', 'rowBytes', 110_000],
    [Buffer.concat([head, Buffer.from('{"carts":[{"total":"\n')]), 'x\n', 'rowBytes', 110_000]
  ] as const) {
    const [outcome, taken] = await readBounded(start, filler, 5000)
    const place = `${filler} after ${String(start).slice(-20)}`
    t.match(
      outcome,
      new RegExp(`^FST_BACKUP_LIMIT_EXCEEDED The snapshot was not imported: .* limits\\.${limit} allows`),
      place
    )
    t.ok(taken <= most, `${place}: ${taken}`)
  }
})

t.test('a limit is exact even when all bytes are buffered', async (t) => {
  const notes = tableOf('notes', [{ name: 'text', type: 'text' }])
  const row = `{"text":"${'x'.repeat(100)}"}`
  const manifest = manifestOf([{ ...notes, rows: 1 }])
  const file = `{"manifest":${JSON.stringify(manifest)},"data":{"notes":[${row}]}}`
  const bounded = async (limits: { rowBytes: number; manifestBytes: number }): Promise<number> =>
    (
      await readSnapshot(
        chunksOf(Buffer.from(file), 65_536),
        async () => ({ keep: () => true, write: async () => {} }),
        undefined,
        limits
      )
    ).sizeBytes
  const manifestBytes = JSON.stringify(manifest).length
  t.equal(await bounded({ rowBytes: row.length, manifestBytes }), file.length)
  await t.rejects(bounded({ rowBytes: row.length - 1, manifestBytes }), {
    code: 'FST_BACKUP_LIMIT_EXCEEDED',
    message: /a row .*limits.rowBytes/
  })
  await t.rejects(bounded({ rowBytes: row.length, manifestBytes: manifestBytes - 1 }), {
    code: 'FST_BACKUP_LIMIT_EXCEEDED',
    message: /the manifest .*limits.manifestBytes/
  })
})

t.test('without WebAssembly, a file is read the same', async (t) => {
  const { file } = await writeFileOf(t, [users, carts], lines)
  const expected = await read(file)
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  t.teardown(() => { Object.defineProperty(globalThis, 'WebAssembly', own) })
  // More at the same time than there are instances from before
  const reading = Array.from({ length: 300 }, async () => await readAll(chunksOf(file, 7)))
  for (const result of await Promise.all(reading)) {
    t.strictSame(result, expected)
  }
})

t.test('rows are COPY BINARY until one is refused, and all of them text where that is impossible', async (t) => {
  const items = tableOf('items', [{ name: 'id', type: 'integer' }, { name: 'at', type: 'date' }])
  const rows = ['1\t2024-01-01\n', '2\t0001-01-01 BC\n', '3\t2024-01-01\n']
  const { file } = await writeFileOf(t, [items], { items: rows })
  const columns: BinaryColumn[] = [{ name: 'id', encoder: 'int4' }, { name: 'at', encoder: 'date' }]
  const impossible = Array.from({ length: 1601 }, (_, index): BinaryColumn => ({ name: `${index}`, encoder: 'text' }))
  async function partsOf (columns: BinaryColumn[]): Promise<string[]> {
    const parts = ['']
    await readSnapshot(chunksOf(file, 1), async () => ({
      keep: () => true,
      binary: { columns, async continueAsText () { parts.push('') } },
      write: async (part) => { parts.push(`${parts.pop() ?? ''}${part.toString('latin1')}`) }
    }))
    return parts
  }
  const [binary = '', text] = await partsOf(columns)
  t.equal(Buffer.from(binary, 'latin1').toString('hex'), '00020000000400000001000000040000223e')
  t.equal(text, rows.slice(1).join(''))
  t.strictSame(await partsOf(impossible), ['', rows.join('')])

  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  t.teardown(() => { Object.defineProperty(globalThis, 'WebAssembly', own) })
  // More at the same time than there are instances from before
  const results = await Promise.all(Array.from({ length: 300 }, async () => await partsOf(columns)))
  t.strictSame(results.at(-1), ['', rows.join('')], 'without WebAssembly')
})
