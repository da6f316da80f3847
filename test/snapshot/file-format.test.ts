import { createHash } from 'node:crypto'
import t from 'tap'
import {
  completeManifest, compressionOfFilename, encodeHead, headSizeOf, largestHead, ownChecksum, plainFilename,
  schemaOfFilename, snapshotFilename, textAfterRows, textBeforeRows, timeOfFilename
} from '../../lib/snapshot/file-format.ts'
import { draftOf, manifestOf, tableOf } from './manifest.ts'

const at = new Date('2026-11-22T17:45:00.123Z')

t.test('the name of a file contains its schema and the time', async (t) => {
  t.equal(snapshotFilename('public', at), 'public_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('tenant-1_b', at), 'tenant-1_b_2026-11-22T17-45-00-123Z.json')
})

t.test('the name says how the file is compressed', async (t) => {
  for (const [compression, suffix] of [['none', ''], ['gzip', '.gz'], ['zstd', '.zst']] as const) {
    const name = snapshotFilename('shop', at, compression)
    t.equal(name, `shop_2026-11-22T17-45-00-123Z.json${suffix}`)
    t.equal(compressionOfFilename(name), compression)
    t.equal(plainFilename(name), 'shop_2026-11-22T17-45-00-123Z.json')
    t.equal(schemaOfFilename(name), 'shop')
    t.strictSame(timeOfFilename(name), at)
  }
})

t.test('no name of a schema leads out of the directory or to an invalid file name', async (t) => {
  t.equal(snapshotFilename('../etc/x', at), '%2E%2E%2Fetc%2Fx_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('a b\\c:d*\n%', at), 'a%20b%5Cc%3Ad%2A%0A%25_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('über', at), '%C3%BCber_2026-11-22T17-45-00-123Z.json')
})

t.test('different schemas have different file names, which decodeURIComponent() decodes', async (t) => {
  for (const schema of ['a.b', 'a%2Eb', 'a_b', 'a b', '世', 'Ä']) {
    t.equal(decodeURIComponent(snapshotFilename(schema, at)).replace(/_[^_]*$/, ''), schema)
  }
})

t.test('the longest name that PostgreSQL allows still fits into a file name', async (t) => {
  t.ok(snapshotFilename('.'.repeat(63), at).length < 255)
})

t.test('head, rows and what is around them are one JSON object', async (t) => {
  for (const names of [[], ['users'], ['users', 'a"b\n', '__proto__']]) {
    const manifest = manifestOf(names.map((name) => tableOf(name, [])))
    const data = manifest.tables.map((table, index) => `${textBeforeRows(table, index)}[]`).join('')
    const file = `${encodeHead(manifest).toString()}${data}${textAfterRows(manifest)}`
    const entries = Object.entries((JSON.parse(file) as { data: object }).data)
    t.strictSame(entries, names.map((name) => [name, []]))
  }
})

t.test('a head has the reserved size for any numbers, with spaces after the manifest', async (t) => {
  const draft = draftOf([tableOf('users', []), tableOf('é世', [])], { note: 'für später' })
  const length = largestHead(draft)
  for (const number of [0, 1, 123_456, Number.MAX_SAFE_INTEGER]) {
    const section = { offset: number, bytes: number, checksum: `sha256:${'1'.repeat(64)}` }
    const counted = draftOf(draft.tables.map((table) => ({ ...table, rows: number })), { note: draft.note })
    const manifest = completeManifest({ ...counted, totalRows: number }, [section, section])
    const head = encodeHead(manifest, length)
    t.equal(head.length, length)
    t.match(head.toString(), /^\{"manifest":\{.*\} *,\n"data":$/)
    t.strictSame(JSON.parse(`${head.toString()}{}}`).manifest, manifest)
  }
  t.match(encodeHead(manifestOf()).toString(), /\},\n"data":$/)
})

t.test('the size of a head follows from the manifest: from the first table, or from the largest numbers', async (t) => {
  const empty = completeManifest(draftOf(), [])
  t.equal(headSizeOf(empty), largestHead(draftOf()))
  const users = { ...tableOf('users', []), offset: 5000 }
  t.equal(headSizeOf(manifestOf([users])), 5000 - '{\n"users":'.length)
})

t.test('a manifest ends with the checksum of its bytes before that key', async (t) => {
  const section = { offset: 9, bytes: 2, checksum: `sha256:${'1'.repeat(64)}` }
  const manifest = completeManifest(draftOf([tableOf('users', [])], { note: '"checksum":"x' }), [section])
  const json = JSON.stringify(manifest)
  const covered = json.slice(0, json.lastIndexOf(',"checksum":'))
  t.equal(manifest.checksum, `sha256:${createHash('sha256').update(covered).digest('hex')}`)
  t.strictSame(manifest.tables, [{ name: 'users', rows: 0, ...section, columns: [] }])
  t.equal(ownChecksum(Buffer.from(json)), manifest.checksum)
  for (const other of [
    '', '{}', json.replace('shop', 'shot'), json.replace(/"checksum":"sha256:(.{64})"\}$/, '"checksum": "sha256:$1"}'),
    ` ${json}`, `${json} `, JSON.stringify(manifest, null, 2)
  ]) t.equal(ownChecksum(Buffer.from(other)), undefined, other.slice(-80))
})

t.test('the size and the checksum of a manifest do not change their argument', async (t) => {
  const draft = draftOf([tableOf('users', [])])
  largestHead(draft)
  completeManifest(draft, [{ offset: 1, bytes: 2, checksum: '' }])
  t.strictSame(draft, draftOf([tableOf('users', [])]))
})
