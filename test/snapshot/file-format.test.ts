import t from 'tap'
import { encodeHead, fileEnd, largestManifest, snapshotFilename } from '../../lib/snapshot/file-format.ts'
import { manifestOf, tableOf } from './manifest.ts'

const at = new Date('2026-11-22T17:45:00.123Z')

t.test('the name of a file contains its schema and the time', async (t) => {
  t.equal(snapshotFilename('public', at), 'public_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('tenant-1_b', at), 'tenant-1_b_2026-11-22T17-45-00-123Z.json')
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

t.test('head, data and end are one JSON object', async (t) => {
  const manifest = manifestOf()
  t.strictSame(JSON.parse(`${encodeHead(manifest).toString()}{}${fileEnd}`), { manifest, data: {} })
})

t.test('a head has the requested size for any counts, with spaces after the manifest', async (t) => {
  const manifest = manifestOf([tableOf('users', []), tableOf('é世', [])], { note: 'für später' })
  const { length } = encodeHead(largestManifest(manifest))
  for (const rows of [0, 1, 123_456, Number.MAX_SAFE_INTEGER]) {
    const counted = manifestOf(
      manifest.tables.map((table) => ({ ...table, rows })),
      { note: manifest.note, totalRows: rows }
    )
    const head = encodeHead(counted, length)
    t.equal(head.length, length)
    t.match(head.toString(), /^\{"manifest":\{.*\} *,\n"data":$/)
    t.strictSame(JSON.parse(`${head.toString()}{}}`).manifest, counted)
  }
  t.match(encodeHead(manifest).toString(), /\},\n"data":$/)
})

t.test('largestManifest() does not change its argument', async (t) => {
  const manifest = manifestOf([tableOf('users', [])])
  largestManifest(manifest)
  t.strictSame(manifest, manifestOf([tableOf('users', [])]))
})
