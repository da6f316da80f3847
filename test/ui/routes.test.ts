import t from 'tap'
import { noFilter, parseRoute, snapshotHref, snapshotsHref } from '../../ui/src/routes.ts'

t.test('the address selects the page', async (t) => {
  for (const hash of ['', '#', '#/']) t.strictSame(parseRoute(hash), { page: 'overview', schema: '' })
  t.strictSame(parseRoute('#/?schema=a%26b'), { page: 'overview', schema: 'a&b' })
  for (const hash of ['#/snapshots', '#/snapshots/']) {
    t.strictSame(parseRoute(hash), { page: 'snapshots', filter: noFilter })
  }
  t.strictSame(parseRoute(snapshotHref('6a2f')), { page: 'snapshot', id: '6a2f' })
  for (const hash of ['#/other', '#/snapshots/a/b']) t.strictSame(parseRoute(hash), { page: 'unknown' })
})

t.test('a filter comes back from its address, and the address has only what restricts', async (t) => {
  const filter = { ...noFilter, schema: 'a?b#c&d=é', from: '2026-01-02' }
  t.strictSame(parseRoute(snapshotsHref(filter)), { page: 'snapshots', filter })
  t.equal(snapshotsHref({ status: 'failed', trigger: '' }), '#/snapshots?status=failed')
  t.equal(snapshotsHref(), '#/snapshots')
})
