import { equal } from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { completeManifest, encodeHead, headSizeOf } from '../../lib/snapshot/file-format.ts'
import { proveBytes } from '../../lib/snapshot/prove-bytes.ts'
import { draftOf, tableOf } from './manifest.ts'
import { chunksOf, writeFileOf } from './snapshot-file.ts'

const unproven = { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /does not match the checksum in the log/ }
const tables = ['a', 'b'].map((name) => tableOf(name, [{ name: 'total', type: 'integer' }]))
const lines = { a: ['1\n', '2\n'], b: ['3\n'] }

async function prove (chunks: AsyncIterable<Buffer>, checksum: string): Promise<Buffer> {
  const passed: Buffer[] = []
  for await (const chunk of proveBytes(chunks, checksum)) passed.push(chunk)
  return Buffer.concat(passed)
}

t.test('the bytes of a written file are passed on and proven, in any chunks', async (t) => {
  for (const [own, rows] of [[tables, lines], [tables, {}], [[], {}]] as const) {
    const { file, manifest } = await writeFileOf(t, [...own], rows)
    for (const size of [1, 7, 1000, file.length]) {
      t.strictSame(await prove(chunksOf(file, size), manifest.checksum), file, `chunks of ${size}`)
    }
  }
})

t.test('any changed, missing or extra byte is detected', async (t) => {
  const { file, manifest: { checksum } } = await writeFileOf(t, tables, lines)
  const outcome = async (content: Buffer, size: number): Promise<unknown> =>
    await prove(chunksOf(content, size), checksum).then(() => 'proven', ({ message }) => message as unknown)
  equal(await outcome(file, 500), 'proven')
  for (let position = 0; position < file.length; position++) {
    const changed = Buffer.from(file)
    changed.writeUInt8(changed.readUInt8(position) ^ 1, position)
    for (const content of [
      changed,
      file.subarray(0, position),
      Buffer.concat([file.subarray(0, position), file.subarray(position + 1)]),
      Buffer.concat([file.subarray(0, position), Buffer.from(' '), file.subarray(position)])
    ]) {
      if (content.equals(file)) continue
      equal(unproven.message.test(String(await outcome(content, 500))), true, `byte ${position}`)
    }
  }
  await t.rejects(prove(chunksOf(Buffer.concat([file, Buffer.from('\n')]), 500), checksum), unproven)
})

t.test('a compressed file is passed on as it is, and proven', async (t) => {
  const { file, manifest: { checksum } } = await writeFileOf(t, tables, lines)
  const compressed = gzipSync(file)
  for (const size of [1, 7, compressed.length]) {
    t.strictSame(await prove(chunksOf(compressed, size), checksum), compressed, `chunks of ${size}`)
  }
  const other = await writeFileOf(t, tables, { ...lines, b: ['4\n'] })
  await t.rejects(prove(chunksOf(gzipSync(other.file), 500), checksum), unproven)
})

t.test('all bytes of a damaged compressed file are passed on before the error', async (t) => {
  const { file, manifest: { checksum } } = await writeFileOf(t, tables, lines)
  const compressed = gzipSync(file)
  const damaged = Buffer.concat([compressed.subarray(0, -1), Buffer.alloc(1_000_000, 1)])
  const passed: Buffer[] = []
  await t.rejects(async () => {
    for await (const chunk of proveBytes(chunksOf(damaged, 10_000), checksum)) passed.push(chunk)
  }, { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /cannot be decompressed/ })
  t.ok(Buffer.concat(passed).equals(damaged))
})

t.test('a reader that stops early leaves nothing behind', async (t) => {
  const { file, manifest: { checksum } } = await writeFileOf(t, tables, lines)
  let ended = false
  async function * chunks (): AsyncGenerator<Buffer> {
    try {
      for (;;) yield gzipSync(file)
    } finally {
      ended = true
    }
  }
  const proving = proveBytes(chunks(), checksum)
  t.equal((await proving.next()).done, false)
  await proving.return(undefined)
  t.ok(ended)
})

t.test('another snapshot, and a file without a first line that ends, are not proven', async (t) => {
  const { file, manifest: { checksum } } = await writeFileOf(t, tables, lines)
  const other = await writeFileOf(t, tables, { ...lines, b: ['4\n'] })
  await t.rejects(prove(chunksOf(other.file, 500), checksum), unproven)
  await t.rejects(prove(chunksOf(Buffer.alloc(0), 500), checksum), unproven)
  await t.rejects(prove(chunksOf(file.subarray(0, file.indexOf('\n')), 500), checksum), unproven)
})

t.test('a first line longer than 64 MiB is passed on and not proven, whatever it contains', async (t) => {
  const { file, manifest } = await writeFileOf(t, tables, lines)
  const data = file.subarray(headSizeOf(manifest))
  for (const [size, isProven] of [[63 * 1024 * 1024, true], [65 * 1024 * 1024, false]] as const) {
    const shift = size - headSizeOf(manifest)
    const sections = manifest.tables.map((table) => ({ ...table, offset: table.offset + shift }))
    const moved = completeManifest(draftOf(tables), sections)
    const longer = Buffer.concat([encodeHead(moved, size), data])
    let passed = 0
    const proving = async (): Promise<void> => {
      for await (const chunk of proveBytes(chunksOf(longer, 1024 * 1024), moved.checksum)) passed += chunk.length
    }
    if (isProven) await t.resolves(proving())
    else await t.rejects(proving(), unproven)
    t.equal(passed, longer.length)
  }
})
