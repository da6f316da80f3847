import t from 'tap'
import { noFilter, parseRoute, snapshotHref, snapshotsHref } from '../../ui/src/routes.ts'

t.test('the address selects the page', async (t) => {
  for (const hash of ['', '#', '#/']) t.strictSame(parseRoute(hash), { page: 'overview', schema: '' })
  t.strictSame(parseRoute('#/?schema=a%26b'), { page: 'overview', schema: 'a&b' })
  for (const hash of ['#/snapshots', '#/snapshots/']) {
    t.strictSame(parseRoute(hash), { page: 'snapshots', filter: noFilter })
  }
  const id = '6a2f5c1e-0c1f-4c3a-9a51-6f5f3b1f2a77'
  t.strictSame(parseRoute(snapshotHref(id)), { page: 'snapshot', id })
  for (const hash of ['#/other', '#/snapshots/a/b']) t.strictSame(parseRoute(hash), { page: 'unknown' })
})

t.test('an address never selects another route or another host', async (t) => {
  for (const id of ['status', '..%2f..', '..\\..\\x', '\\\\evil.example', 'https:evil.example', '6a2f']) {
    t.strictSame(parseRoute(`#/snapshots/${id}`), { page: 'unknown' }, id)
  }
})

t.test('a filter comes back from its address, and the address has only what restricts', async (t) => {
  const filter = { ...noFilter, schema: 'a?b#c&d=é', from: '2026-01-02' }
  t.strictSame(parseRoute(snapshotsHref(filter)), { page: 'snapshots', filter })
  t.equal(snapshotsHref({ status: 'failed', trigger: '' }), '#/snapshots?status=failed')
  t.equal(snapshotsHref(), '#/snapshots')
})
