import t from 'tap'
import { SnapshotInvalid } from '../../lib/errors.ts'
import { formatVersion } from '../../lib/snapshot/file-format.ts'
import { parseManifest } from '../../lib/snapshot/parse-manifest.ts'
import { manifestOf, tableOf } from './manifest.ts'

const invalid = (json: string): string => {
  try {
    parseManifest(json)
    return 'valid'
  } catch (error) {
    return error instanceof SnapshotInvalid
      ? error.message.replace('The snapshot file is damaged or was changed: ', '')
      : `another error: ${String(error)}`
  }
}
const [users] = manifestOf([tableOf('users', [])]).tables
const changed = (change: object): string =>
  JSON.stringify({ ...manifestOf([tableOf('users', [{ name: 'id', type: 'bigint' }])]), ...change })

t.test('a manifest is parsed as it was written', async (t) => {
  const manifest = manifestOf(
    [
      tableOf(
        'users',
        [
          { name: 'id', type: 'bigint' },
          { name: 'age', type: 'age', encoding: 'number' },
          { name: 'boxes', type: 'box[]', delimiter: ';' }
        ],
        2
      ),
      tableOf('__proto__', [{ name: 'constructor', type: 'text' }])
    ],
    {
      sequences: [
        { name: 'users_id_seq', ownedBy: 'users.id', lastValue: '2', isCalled: true },
        { name: 's', schema: 'other', ownedBy: null, lastValue: '-9223372036854775808', isCalled: false }
      ]
    }
  )
  t.strictSame(parseManifest(JSON.stringify(manifest)), manifest)
})

t.test('for a later format the error asks for an update, whatever else the manifest contains', async (t) => {
  t.equal(
    invalid(`{"version":${formatVersion + 1},"more":1}`),
    'its format has version 2, and this release reads 1; update fastify-backup'
  )
})

t.test('an invalid manifest is refused with the path of the problem', async (t) => {
  t.equal(invalid('{'), 'the manifest is not JSON')
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
  t.equal(
    invalid(changed({ tables: [{ ...users, rows: 0.5 }] })),
    'the manifest is not valid at /tables/0/rows'
  )
  t.equal(
    invalid(changed({ tables: [{ ...users, columns: [{ name: '', type: 'text' }] }] })),
    'the manifest is not valid at /tables/0/columns/0/name'
  )
  t.equal(
    invalid(changed({ sequences: [{ name: 's', ownedBy: null, lastValue: '1; DROP', isCalled: true }] })),
    'the manifest is not valid at /sequences/0/lastValue'
  )
  for (const [key, values] of Object.entries({
    offset: [-1, 0.5, 1e300, 2 ** 53, '0', null],
    bytes: [-2, 1, 2.5, 1e300, 2 ** 53, '2', null],
    checksum: ['sha256:0', `sha256:${'A'.repeat(64)}`, null]
  })) {
    for (const value of values) {
      const problem = invalid(changed({ tables: [{ ...users, [key]: value }] }))
      t.equal(problem, `the manifest is not valid at /tables/0/${key}`)
    }
  }
  t.equal(invalid(changed({ more: 1 })), 'the manifest is not valid at /more')
  t.equal(
    invalid(JSON.stringify(manifestOf()).replace('{', '{"__proto__":{},')),
    'the manifest is not valid at /__proto__'
  )
})

t.test('the error for a table of a development version names what its manifest lacks', async (t) => {
  t.equal(
    invalid(changed({ tables: [tableOf('users', [])] })),
    'the manifest is not valid at /tables/0, which lacks offset, bytes, checksum'
  )
})

t.test('a table or a column that is named twice is refused', async (t) => {
  const id = { name: 'id', type: 'bigint' }
  t.equal(
    invalid(changed({ tables: [users, users] })),
    'the manifest names a table twice: "users"'
  )
  t.equal(
    invalid(changed({ tables: [{ ...users, columns: [id, id] }] })),
    'the manifest names a column of "users" twice: "id"'
  )
})

t.test('a manifest that is nested a million levels deep is refused', async (t) => {
  const nested = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
  t.match(invalid(nested), 'the manifest is not valid')
  t.match(invalid(changed({ tables: 0 }).replace('"tables":0', `"tables":${nested}`)), 'the manifest is not valid')
})
