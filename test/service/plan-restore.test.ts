import t from 'tap'
import type { Progress } from '../../types/index.ts'
import { untilBlocked } from '../support/backends.ts'
import { useEngine, usePlace } from '../support/engine.ts'

t.test('a plan counts large tables one by one, and reports its progress', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const expected = await engine.plan(id)

  // The catalog says that the first table is large
  await place.sql`UPDATE pg_class SET reltuples = 3000000 WHERE oid = 'orders'::regclass`
  await place.sql`UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'users'::regclass`
  const reports: Progress[] = []
  const plan = await engine.plan(id, { onProgress: (progress) => { reports.push(progress) } })
  t.strictSame(plan, expected)
  const common = { phase: 'count', tables: 2, rowsTotal: 4000000, bytes: 0, bytesTotal: null, estimated: true }
  t.strictSame(reports, [
    { ...common, table: 'orders', tablesDone: 0, rows: 0, percent: 0, etaMs: null },
    { ...common, table: 'users', tablesDone: 1, rows: 3, percent: 0, etaMs: null }
  ])
})

t.test('a plan of tables that were never analyzed has no percentage', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const reports: Progress[] = []
  await engine.plan(id, { onProgress: (progress) => { reports.push(progress) } })
  t.equal(reports.length, 1)
  t.match(reports[0], { tables: 2, rowsTotal: null, percent: null })
})

t.test('the caller can end a plan that waits for a lock', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const controller = new AbortController()
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE orders`
    const planning = engine.plan(id, { signal: controller.signal })
    planning.catch(() => {})
    await untilBlocked(place.sql)
    controller.abort()
    await t.rejects(planning, { code: 'FST_BACKUP_ABORTED', statusCode: 499 })
  })
  t.ok((await engine.plan(id)).ok)
})
