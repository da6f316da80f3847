import t from 'tap'
import { SnapshotInvalid } from '../../lib/errors.ts'
import { encodeHead, fileEnd, formatVersion, largestManifest, parseManifest, snapshotFilename } from '../../lib/snapshot/format.ts'
import { manifestOf, tableOf } from './manifest.ts'

const at = new Date('2026-11-22T17:45:00.123Z')
const invalid = (json: string): string => {
  try {
    parseManifest(json)
    return 'valid'
  } catch (error) {
    return error instanceof SnapshotInvalid ? error.message.replace('The snapshot file is damaged or was changed: ', '') : `another error: ${String(error)}`
  }
}
const changed = (change: object): string => JSON.stringify({ ...manifestOf([tableOf('users', [{ name: 'id', type: 'bigint' }])]), ...change })

t.test('a file is named after its schema and the moment', async (t) => {
  t.equal(snapshotFilename('public', at), 'public_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('tenant-1_b', at), 'tenant-1_b_2026-11-22T17-45-00-123Z.json')
})

t.test('no schema\'s name leads out of the directory, or to a name that a file system refuses', async (t) => {
  t.equal(snapshotFilename('../etc/x', at), '%2E%2E%2Fetc%2Fx_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('a b\\c:d*\n%', at), 'a%20b%5Cc%3Ad%2A%0A%25_2026-11-22T17-45-00-123Z.json')
  t.equal(snapshotFilename('über', at), '%C3%BCber_2026-11-22T17-45-00-123Z.json')
})

t.test('schemas of different names have files of different names, which decodeURIComponent() reads', async (t) => {
  for (const schema of ['a.b', 'a%2Eb', 'a_b', 'a b', '世', 'Ä']) t.equal(decodeURIComponent(snapshotFilename(schema, at)).replace(/_[^_]*$/, ''), schema)
})

t.test('the longest name that PostgreSQL allows still fits into a file name', async (t) => {
  t.ok(snapshotFilename('.'.repeat(63), at).length < 255)
})

t.test('head, data and end are one JSON object', async (t) => {
  const manifest = manifestOf()
  t.strictSame(JSON.parse(`${encodeHead(manifest).toString()}{}${fileEnd}`), { manifest, data: {} })
})

t.test('a head has the size that was asked for, whatever it counts, and the spaces stand behind the manifest', async (t) => {
  const manifest = manifestOf([tableOf('users', []), tableOf('é世', [])], { note: 'für später' })
  const { length } = encodeHead(largestManifest(manifest))
  for (const rows of [0, 1, 123_456, Number.MAX_SAFE_INTEGER]) {
    const counted = manifestOf(manifest.tables.map((table) => ({ ...table, rows })), { note: manifest.note, totalRows: rows })
    const head = encodeHead(counted, length)
    t.equal(head.length, length)
    t.match(head.toString(), /^\{"manifest":\{.*\} *,\n"data":$/)
    t.strictSame(JSON.parse(`${head.toString()}{}}`).manifest, counted)
  }
  t.match(encodeHead(manifest).toString(), /\},\n"data":$/)
})

t.test('the largest manifest leaves the one it is made of as it was', async (t) => {
  const manifest = manifestOf([tableOf('users', [])])
  largestManifest(manifest)
  t.strictSame(manifest, manifestOf([tableOf('users', [])]))
})

t.test('a manifest is read as it was written', async (t) => {
  const manifest = manifestOf([
    tableOf('users', [{ name: 'id', type: 'bigint' }, { name: 'age', type: 'age', encoding: 'number' }, { name: 'boxes', type: 'box[]', delimiter: ';' }], 2),
    tableOf('__proto__', [{ name: 'constructor', type: 'text' }])
  ], { sequences: [{ name: 'users_id_seq', ownedBy: 'users.id', lastValue: '2', isCalled: true }, { name: 's', schema: 'other', ownedBy: null, lastValue: '-9223372036854775808', isCalled: false }] })
  t.strictSame(parseManifest(JSON.stringify(manifest)), manifest)
})

t.test('a manifest of a later format asks for an update, whatever else it holds', async (t) => {
  t.equal(invalid(`{"version":${formatVersion + 1},"more":1}`), 'its format has version 2, and this release reads 1; update fastify-backup')
})

t.test('a manifest that is none is refused with the place', async (t) => {
  t.equal(invalid('{'), 'the manifest is no JSON')
  t.equal(invalid('null'), 'the manifest is not valid at its root')
  t.equal(invalid('1'), 'the manifest is not valid at its root')
  t.equal(invalid('[]'), 'the manifest is not valid at its root')
  t.equal(invalid(changed({ version: 0 })), 'the manifest is not valid at /version')
  t.equal(invalid(changed({ version: '1' })), 'the manifest is not valid at /version')
  t.equal(invalid(changed({ id: '../../etc/passwd' })), 'the manifest is not valid at /id')
  t.equal(invalid(changed({ schema: '' })), 'the manifest is not valid at /schema')
  t.equal(invalid(changed({ trigger: 'other' })), 'the manifest is not valid at /trigger')
  t.equal(invalid(changed({ checksum: 'sha256:0' })), 'the manifest is not valid at /checksum')
  t.equal(invalid(changed({ totalRows: -1 })), 'the manifest is not valid at /totalRows')
  t.equal(invalid(changed({ tables: [{ name: 'users', rows: 0.5, columns: [] }] })), 'the manifest is not valid at /tables/0/rows')
  t.equal(invalid(changed({ tables: [tableOf('users', [{ name: '', type: 'text' }])] })), 'the manifest is not valid at /tables/0/columns/0/name')
  t.equal(invalid(changed({ sequences: [{ name: 's', ownedBy: null, lastValue: '1; DROP', isCalled: true }] })), 'the manifest is not valid at /sequences/0/lastValue')
  t.equal(invalid(changed({ more: 1 })), 'the manifest is not valid at /more')
  t.equal(invalid(JSON.stringify(manifestOf()).replace('{', '{"__proto__":{},')), 'the manifest is not valid at /__proto__')
})

t.test('a table or a column that is named twice is refused', async (t) => {
  const id = { name: 'id', type: 'bigint' }
  t.equal(invalid(changed({ tables: [tableOf('users', []), tableOf('users', [])] })), 'the manifest names a table twice: "users"')
  t.equal(invalid(changed({ tables: [tableOf('users', [id, id])] })), 'the manifest names a column of "users" twice: "id"')
})

t.test('a manifest may be nested a million times, and is refused all the same', async (t) => {
  const nested = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
  t.match(invalid(nested), 'the manifest is not valid')
  t.match(invalid(changed({ tables: 0 }).replace('"tables":0', `"tables":${nested}`)), 'the manifest is not valid')
})
