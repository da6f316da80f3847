import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { pieceSize } from '../../lib/snapshot/codec/byte-queue.ts'
import type { ManifestDraft } from '../../lib/snapshot/file-format.ts'
import type { OpenSink } from '../../lib/pipeline/byte-sink.ts'
import { sinkFor } from '../../lib/snapshot/open-sink.ts'
import { type MessageWriter, openSnapshotWriter, type SnapshotWriter } from '../../lib/snapshot/snapshot-writer.ts'
import type { Manifest } from '../../types/index.ts'
import { systemError } from '../storage/file-system-double.ts'
import { useDirectory } from '../support/directory.ts'
import { draftOf, tableOf } from './manifest.ts'

const isWindows = process.platform === 'win32'
const users = tableOf('users', [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'text' },
  { name: 'tags', type: 'text[]' },
  { name: 'profile', type: 'jsonb' }
])
const sha256 = (bytes: Uint8Array | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** The manifest of a file, after a comparison of all of its checksums and positions with the bytes of the file. */
function provenManifest (t: Test, file: Buffer): Manifest {
  const [line] = file.toString().split('\n')
  const json = String(line).replace('{"manifest":', '').replace(/ *,$/, '')
  const manifest = JSON.parse(json) as Manifest
  t.equal(manifest.checksum, sha256(json.slice(0, json.lastIndexOf(',"checksum"'))))
  for (const { name, offset, bytes, checksum } of manifest.tables) {
    const list = file.subarray(offset, offset + bytes)
    t.equal(checksum, sha256(list), name)
    t.match(list.toString(), /^\[[^]*\n\]$/)
    t.ok(file.subarray(0, offset).toString().endsWith(`\n${JSON.stringify(name)}:`), name)
  }
  return manifest
}

async function useWriter (
  t: Test,
  manifest: ManifestDraft = draftOf([users])
): Promise<{ path: string; writer: SnapshotWriter }> {
  const path = join(await useDirectory(t), 'snapshot')
  const writer = await openSnapshotWriter(fileAt(path), manifest)
  t.after(async () => {
    await writer.discard()
  })
  return { path, writer }
}

const fileAt = (spoolPath: string): OpenSink => sinkFor({ spoolPath, compression: null })

const writeLine = (writer: SnapshotWriter, line: string): Promise<void> | undefined =>
  writer.writeRow(Buffer.from(`before${line}after`), 6, 6 + Buffer.byteLength(line))

type Method = (...args: unknown[]) => Promise<unknown>

/** Replaces the method `name` of every open file until the test ends. */
async function changeFiles (
  t: Test,
  name: 'write' | 'sync' | 'datasync',
  change: (original: Method, file: FileHandle) => Method
): Promise<void> {
  const handle = await open(import.meta.filename)
  const prototype = Object.getPrototypeOf(handle) as Record<typeof name, Method>
  await handle.close()
  const original = prototype[name]
  prototype[name] = async function (this: FileHandle, ...args) {
    return await change(original.bind(this), this)(...args)
  }
  t.after(async () => {
    prototype[name] = original
  })
}

t.test('a snapshot is one JSON object, with the manifest first and one row per line', async (t) => {
  const carts = tableOf('carts', [{ name: 'total', type: 'numeric' }])
  const { path, writer } = await useWriter(t, draftOf([users, carts]))
  writer.startTable(users)
  await writeLine(writer, '1\tAda\t{x}\t{"a": 1}\n')
  await writeLine(writer, '2\tBob\t\\N\t\\N\n')
  t.equal(writer.endTable(), 2)
  writer.startTable(carts)
  t.equal(writer.endTable(), 0)
  const { manifest } = await writer.finish(draftOf([{ ...users, rows: 2 }, carts]))
  const file = await readFile(path, 'utf8')
  const lines = file.split('\n')
  t.match(lines[0], /^\{"manifest":\{.*\} +,$/)
  t.strictSame(lines.slice(1), [
    '"data":{',
    '"users":[',
    '{"id":"1","name":"Ada","tags":["x"],"profile":{"a": 1}}' + ',',
    '{"id":"2","name":"Bob","tags":null}',
    '],',
    '"carts":[',
    ']',
    '}}',
    ''
  ])
  t.strictSame(JSON.parse(file), {
    manifest,
    data: {
      users: [
        { id: '1', name: 'Ada', tags: ['x'], profile: { a: 1 } },
        { id: '2', name: 'Bob', tags: null }
      ],
      carts: []
    }
  })
})

t.test('a snapshot may have no tables', async (t) => {
  const { path, writer } = await useWriter(t, draftOf())
  await writer.finish(draftOf())
  t.strictSame((JSON.parse(await readFile(path, 'utf8')) as { data: object }).data, {})
})

t.test('any name of a table or column can be a key', async (t) => {
  const table = tableOf('a"b\n', [{ name: '__proto__', type: 'text' }])
  const { path, writer } = await useWriter(t, draftOf([table]))
  writer.startTable(table)
  await writeLine(writer, 'x\n')
  writer.endTable()
  await writer.finish(draftOf([table]))
  const { data } = JSON.parse(await readFile(path, 'utf8')) as { data: Record<string, object[]> }
  t.strictSame(Object.entries(data['a"b\n']?.[0] ?? {}), [['__proto__', 'x']])
})

t.test('the result contains the size and the manifest of the file', async (t) => {
  const { path, writer } = await useWriter(t)
  writer.startTable(users)
  await writeLine(writer, '1\tAda\t{}\t1\n')
  writer.endTable()
  const written = await writer.finish(draftOf([{ ...users, rows: 1 }], { note: null }))
  const file = await readFile(path)
  t.equal(written.sizeBytes, file.length)
  t.strictSame(written.manifest, provenManifest(t, file))
  t.equal(writer.bytes, file.length)
})

t.test('each table has its own position and checksum, wherever pieces and writes end', async (t) => {
  const tables = Array.from({ length: 7 }, (_, index) => tableOf(`t${index}`, [{ name: 'text', type: 'text' }]))
  const { path, writer } = await useWriter(t, draftOf(tables))
  for (const [index, table] of tables.entries()) {
    writer.startTable(table)
    for (let row = 0; row < index; row++) await writeLine(writer, `${'x'.repeat(pieceSize - 10 + index)}\n`)
    writer.endTable()
  }
  const { manifest } = await writer.finish(draftOf(tables))
  t.strictSame(manifest, provenManifest(t, await readFile(path)))
  t.equal(new Set(manifest.tables.map(({ checksum }) => checksum)).size, 7)
})

t.test('only this user can access the file', { skip: isWindows }, async (t) => {
  const { path } = await useWriter(t)
  t.equal((await stat(path)).mode & 0o777, 0o600)
})

t.test('an existing file is never written to', async (t) => {
  const path = join(await useDirectory(t), 'snapshot')
  await writeFile(path, 'precious')
  await t.rejects(openSnapshotWriter(fileAt(path), draftOf()), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /create a snapshot file \(EEXIST\)/
  })
  t.equal(await readFile(path, 'utf8'), 'precious')
})

t.test('a missing directory is not created', async (t) => {
  const path = join(await useDirectory(t), 'gone')
  await t.rejects(openSnapshotWriter(fileAt(join(path, 'snapshot')), draftOf()), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /ENOENT/
  })
})

t.test('writeRow() returns a promise only while the previous piece is being written', async (t) => {
  const { writer } = await useWriter(t)
  writer.startTable(users)
  const before = writer.bytes
  const long = `1\t${'x'.repeat(pieceSize)}\t{}\t1\n`
  t.equal(writeLine(writer, long), undefined)
  t.equal(writeLine(writer, '2\tAda\t{}\t1\n'), undefined)
  const held = writeLine(writer, long)
  t.ok(held instanceof Promise)
  t.equal(writer.bytes, before)
  await held
  t.ok(writer.bytes > before + pieceSize)
  t.equal(writeLine(writer, '4\tBob\t{}\t1\n'), undefined)
  t.equal(writer.endTable(), 4)
})

t.test('a row with other columns than its table is refused', async (t) => {
  const { writer } = await useWriter(t)
  writer.startTable(users)
  const refused = { message: /more or fewer fields than its table has columns/ }
  t.throws(() => {
    writeLine(writer, '1\tAda\n')
    writer.endTable()
  }, refused)
  const { writer: other } = await useWriter(t)
  other.startTable(users)
  const bytes = message('1\tAda\n')
  const { position, rows, written } = messagesOf(other).write(bytes, 0, bytes.length)
  t.equal(position, bytes.length)
  t.equal(rows, 0)
  await t.rejects(Promise.resolve(written), refused)
})

function messagesOf ({ messages }: SnapshotWriter): MessageWriter {
  if (messages === undefined) throw new Error('this Node.js has no WebAssembly with SIMD')
  return messages
}

/** CopyData messages, one for each line. */
function message (...lines: string[]): Buffer {
  return Buffer.concat(lines.map((line) => {
    const header = Buffer.alloc(5, 'd')
    header.writeUInt32BE(Buffer.byteLength(line) + 4, 1)
    return Buffer.concat([header, Buffer.from(line)])
  }))
}

const rowsOf = async (path: string): Promise<unknown> =>
  (JSON.parse(await readFile(path, 'utf8')) as { data: { users: unknown } }).data.users

t.test('messages are written as their rows are, in any parts', async (t) => {
  const { path, writer } = await useWriter(t)
  const messages = messagesOf(writer)
  writer.startTable(users)
  const bytes = message('1\tAda\t{x}\t{"a": 1}\n', '2\tBob\t\\N\t\\N\n')
  const part = bytes.length - 9
  t.strictSame(messages.write(bytes, 0, part), { position: part, rows: 1, written: undefined })
  t.strictSame(messages.write(bytes, part, bytes.length), { position: bytes.length, rows: 1, written: undefined })
  t.equal(writer.endTable(), 2)
  await writer.finish(draftOf([{ ...users, rows: 2 }]))
  t.strictSame(await rowsOf(path), [
    { id: '1', name: 'Ada', tags: ['x'], profile: { a: 1 } },
    { id: '2', name: 'Bob', tags: null }
  ])
})

t.test('write() of messages returns a promise only while the previous piece is being written', async (t) => {
  const { writer } = await useWriter(t)
  const messages = messagesOf(writer)
  writer.startTable(users)
  const bytes = message(`1\t${'x'.repeat(pieceSize)}\t{}\t1\n`)
  t.equal(messages.write(bytes, 0, bytes.length).written, undefined)
  const { written } = messages.write(bytes, 0, bytes.length)
  t.ok(written instanceof Promise)
  await written
  messages.drop()
  t.strictSame(messages.write(bytes, 0, bytes.length), { position: bytes.length, rows: 0, written: undefined })
  t.equal(writer.endTable(), 2)
})

t.test('without WebAssembly the file is the same', async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  const written: unknown[] = []
  for (const value of [own.value, undefined]) {
    const path = join(await useDirectory(t), 'snapshot')
    Object.defineProperty(globalThis, 'WebAssembly', { ...own, value })
    const opening = openSnapshotWriter(fileAt(path), draftOf([users]))
    const writer = await opening.finally(() => { Object.defineProperty(globalThis, 'WebAssembly', own) })
    t.after(async () => { await writer.discard() })
    t.equal(writer.messages === undefined, value === undefined)
    writer.startTable(users)
    writeLine(writer, '1\tA"d\\na\t{x}\t{"a": 1}\n')
    writeLine(writer, '2\tBob\t\\N\t\\N\n')
    t.equal(writer.endTable(), 2)
    await writer.finish(draftOf([{ ...users, rows: 2 }]))
    written.push(await readFile(path))
  }
  t.strictSame(written[0], written[1])
})

t.test('all bytes are written when each write() is short', async (t) => {
  await changeFiles(
    t,
    'write',
    (write) => async (buffer, offset, length, position) =>
      await write(buffer, offset, Math.min(Number(length), 1000), position)
  )
  const { path, writer } = await useWriter(t)
  writer.startTable(users)
  for (let id = 0; id < 3; id++) await writeLine(writer, `${id}\t${'x'.repeat(pieceSize)}\t{}\t1\n`)
  writer.endTable()
  const written = await writer.finish(draftOf([{ ...users, rows: 3 }]))
  const file = await readFile(path)
  t.strictSame(written.manifest, provenManifest(t, file))
  t.equal(written.sizeBytes, file.length)
  t.equal((JSON.parse(file.toString()) as { data: { users: object[] } }).data.users.length, 3)
})

t.test('a full disk is reported as such, and no file stays', async (t) => {
  const { path, writer } = await useWriter(t)
  writer.startTable(users)
  await changeFiles(t, 'write', () => async () => { throw systemError('ENOSPC') })
  const long = `1\t${'x'.repeat(pieceSize)}\t{}\t1\n`
  t.equal(writeLine(writer, long), undefined)
  const full = { code: 'FST_BACKUP_STORAGE_FULL', message: /write the snapshot/ }
  await t.rejects(Promise.resolve(writeLine(writer, long)), full)
  await t.rejects(Promise.resolve(writeLine(writer, long)), full, 'the error stays')
  await t.rejects(writer.finish(draftOf([users])), full)
  await writer.discard()
  t.strictSame(await readdir(dirname(path)), [])
})

t.test('finish() syncs the file after the last write', async (t) => {
  const calls: string[] = []
  await changeFiles(t, 'write', (write) => async (...args) => { calls.push('write'); return await write(...args) })
  await changeFiles(t, 'sync', (sync) => async () => { calls.push('sync'); await sync() })
  const { writer } = await useWriter(t, draftOf())
  await writer.finish(draftOf())
  t.strictSame(calls.slice(-2), ['write', 'sync'])
})

t.test('finish() fails when the file cannot be synced', async (t) => {
  await changeFiles(t, 'sync', () => async () => { throw systemError('EIO') })
  const { path, writer } = await useWriter(t, draftOf())
  await t.rejects(writer.finish(draftOf()), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /finish the snapshot \(EIO\)/
  })
  await writer.discard()
  t.strictSame(await readdir(dirname(path)), [])
})

/** Writes rows of 40 MB. */
async function writeManyRows (writer: SnapshotWriter): Promise<void> {
  const line = `1\t${'x'.repeat(1_000_000)}\t{}\t1\n`
  writer.startTable(users)
  for (let row = 0; row < 40; row++) await writeLine(writer, line)
  writer.endTable()
}

t.test('a large file is synchronized while it is written', async (t) => {
  const calls: string[] = []
  await changeFiles(t, 'datasync', (datasync) => async () => { calls.push('datasync'); await datasync() })
  await changeFiles(t, 'sync', (sync) => async () => { calls.push('sync'); await sync() })
  const { writer } = await useWriter(t, draftOf([users]))
  await writeManyRows(writer)
  await writer.finish(draftOf([users]))
  t.strictSame(calls, ['datasync', 'sync'])
})

t.test('a failed synchronization fails the snapshot, although the last one succeeds', async (t) => {
  await changeFiles(t, 'datasync', () => async () => { throw systemError('EIO') })
  const { path, writer } = await useWriter(t, draftOf([users]))
  await writeManyRows(writer)
  await t.rejects(writer.finish(draftOf([users])), {
    code: 'FST_BACKUP_STORAGE_FAILED', message: /write the snapshot \(EIO\)/
  })
  await writer.discard()
  t.strictSame(await readdir(dirname(path)), [])
})

t.test('a snapshot that is discarded while the file is synchronized leaves nothing', async (t) => {
  await changeFiles(t, 'datasync', () => async () => { throw systemError('EIO') })
  const { path, writer } = await useWriter(t, draftOf([users]))
  await writeManyRows(writer)
  await writer.discard()
  t.strictSame(await readdir(dirname(path)), [])
})

t.test('discard() may be called at any time, and more than once', async (t) => {
  for (const prepare of [
    async () => {},
    async (writer: SnapshotWriter) => { writer.endTable() },
    async (writer: SnapshotWriter) => {
      writer.startTable(users)
      writeLine(writer, `1\t${'x'.repeat(pieceSize)}\t{}\t1\n`)
    },
    async (writer: SnapshotWriter) => { await writer.finish(draftOf()) }
  ]) {
    const { path, writer } = await useWriter(t, draftOf())
    await prepare(writer)
    await writer.discard()
    await writer.discard()
    t.strictSame(await readdir(dirname(path)), [])
  }
})

t.test('discard() removes a file that cannot be closed', async (t) => {
  await changeFiles(t, 'sync', (sync, file) => async () => {
    const close = file.close.bind(file)
    file.close = async () => {
      await close()
      throw systemError('ENOSPC')
    }
    await sync()
  })
  const { path, writer } = await useWriter(t, draftOf())
  await t.rejects(writer.finish(draftOf()), { code: 'FST_BACKUP_STORAGE_FULL' })
  await t.resolves(writer.discard())
  t.strictSame(await readdir(dirname(path)), [])
})

t.test('discard() rejects when the file cannot be removed', { skip: isWindows }, async (t) => {
  const path = join(await useDirectory(t), 'snapshot')
  const writer = await openSnapshotWriter(fileAt(path), draftOf())
  await rm(path)
  await mkdir(path)
  await t.rejects(writer.discard(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /remove an unfinished snapshot/ })
})
