import fc from 'fast-check'
import t from 'tap'
import { applyRetention, type RetainedSnapshot, type RetentionDecision, type RetentionPolicy } from '../lib/retention.ts'

const day = 24 * 60 * 60 * 1000
const now = new Date('2026-11-22T12:00:00.000Z')
const daysAgo = (days: number): string => new Date(now.getTime() - days * day).toISOString()

const snapshot = (id: string, age: number, rest: Partial<RetainedSnapshot> = {}): RetainedSnapshot => ({
  id, schema: 'public', status: 'completed', trigger: 'manual', startedAt: daysAgo(age), pinned: false, available: true, inUse: false, ...rest
})
const policy = (rest: Partial<RetentionPolicy> = {}): RetentionPolicy => ({ maxBackups: 2, retentionDays: 30, now, ...rest })
const kept = ({ keep }: RetentionDecision): string[] => keep.map(({ id }) => id)
const removed = ({ remove }: RetentionDecision): string[] => remove.map(({ id }) => id)

t.test('nothing in, nothing out', async (t) => {
  t.strictSame(applyRetention([], policy()), { keep: [], remove: [] })
})

t.test('the newest maxBackups of a schema stay, in whatever order they come, and the reasons are sentences', async (t) => {
  t.strictSame(applyRetention([snapshot('c', 3), snapshot('a', 1), snapshot('b', 2)], policy()), {
    keep: [
      { id: 'a', reasons: ['the newest snapshot of schema public', 'among the newest 2 of schema public'] },
      { id: 'b', reasons: ['among the newest 2 of schema public'] }
    ],
    remove: [{ id: 'c', reason: 'beyond the newest 2 of schema public' }]
  })
})

t.test('the limits count per schema', async (t) => {
  const rows = ['one', 'two'].flatMap((schema) => [1, 2, 3].map((age) => snapshot(`${schema}-${age}`, age, { schema })))
  t.strictSame(removed(applyRetention(rows, policy())), ['one-3', 'two-3'])
})

t.test('of two that started in the same instant the greater id is the newer one', async (t) => {
  const rows = [snapshot('b', 1), snapshot('c', 1), snapshot('a', 1)]
  t.strictSame(kept(applyRetention(rows, policy())), ['c', 'b'])
  t.strictSame(kept(applyRetention(rows.toReversed(), policy())), ['c', 'b'])
})

t.test('instants are compared, not their spelling', async (t) => {
  const rows = [snapshot('old', 0, { startedAt: '2026-11-22T09:00:00+02:00' }), snapshot('new', 0, { startedAt: '2026-11-22T08:00:00Z' })]
  t.strictSame(kept(applyRetention(rows, policy({ maxBackups: 1 }))), ['new'])
})

t.test('a restored snapshot is one like any other', async (t) => {
  t.strictSame(removed(applyRetention([snapshot('a', 1), snapshot('b', 2, { status: 'restored' }), snapshot('c', 3, { status: 'restored' })], policy())), ['c'])
})

t.test('scheduled snapshots go when they are older than retentionDays, others do not', async (t) => {
  const rows = [
    snapshot('newest', 0), snapshot('manual', 31), snapshot('import', 31, { trigger: 'import' }), snapshot('pre', 31, { trigger: 'pre_restore' }),
    snapshot('exactly', 30, { trigger: 'scheduled' }), snapshot('older', 30 + 1 / day, { trigger: 'scheduled' })
  ]
  const decision = applyRetention(rows, policy({ maxBackups: 50 }))
  t.strictSame(decision.remove, [{ id: 'older', reason: 'scheduled and older than 30 days' }])
  t.strictSame(removed(applyRetention(rows, policy({ maxBackups: 50, retentionDays: null }))), [])
})

t.test('who is too many and too old is told both', async (t) => {
  const rows = [snapshot('a', 1), snapshot('b', 40, { trigger: 'scheduled' })]
  t.strictSame(applyRetention(rows, policy({ maxBackups: 1 })).remove, [
    { id: 'b', reason: 'beyond the newest 1 of schema public; scheduled and older than 30 days' }
  ])
})

t.test('the newest snapshot of a schema stays, however old; a failed run after it is none', async (t) => {
  const rows = [snapshot('failed', 1, { status: 'failed', trigger: 'scheduled' }), snapshot('good', 400, { trigger: 'scheduled' })]
  t.strictSame(applyRetention(rows, policy()).keep, [
    { id: 'good', reasons: ['the newest snapshot of schema public'] },
    { id: 'failed', reasons: ['among the newest 2 failed runs of schema public'] }
  ])
})

t.test('pinned ones and those in use stay, and take their place in the count', async (t) => {
  const rows = [
    snapshot('a', 1, { pinned: true }), snapshot('b', 2), snapshot('c', 3), snapshot('pinned', 4, { pinned: true }),
    snapshot('used', 400, { trigger: 'scheduled', inUse: true }), snapshot('both', 500, { pinned: true, inUse: true })
  ]
  const decision = applyRetention(rows, policy())
  t.strictSame(removed(decision), ['c'])
  t.strictSame(decision.keep.slice(-3), [
    { id: 'pinned', reasons: ['pinned'] }, { id: 'used', reasons: ['in use'] }, { id: 'both', reasons: ['pinned', 'in use'] }
  ])
})

t.test('fifty failed nights evict no snapshot; the newest of them are kept as history', async (t) => {
  const failures = Array.from({ length: 50 }, (_, index) => snapshot(`f${index}`, index, { status: 'failed', trigger: 'scheduled' }))
  const decision = applyRetention([...failures, snapshot('a', 60), snapshot('b', 61)], policy())
  t.strictSame(kept(decision), ['a', 'b', 'f0', 'f1'])
  t.equal(decision.remove.length, 48)
  t.strictSame(decision.remove[0], { id: 'f2', reason: 'beyond the newest 2 failed runs of schema public' })
})

t.test('a snapshot whose file is gone makes no other go, and is no newest one', async (t) => {
  const rows = [snapshot('lost', 1, { available: false }), snapshot('other', 2, { available: false }), snapshot('third', 3, { available: false }), snapshot('a', 4), snapshot('b', 5)]
  const decision = applyRetention(rows, policy())
  t.strictSame(kept(decision), ['a', 'b', 'lost', 'other'])
  t.strictSame(decision.remove, [{ id: 'third', reason: 'beyond the newest 2 snapshots without a file of schema public' }])
})

t.test('snapshots of what was restored over, perhaps of a few tables, never evict the last one besides them', async (t) => {
  const rows = [1, 2, 3].map((age) => snapshot(`pre${age}`, age, { trigger: 'pre_restore' }))
  const decision = applyRetention([...rows, snapshot('whole', 4), snapshot('older', 5)], policy())
  t.strictSame(kept(decision), ['pre1', 'pre2', 'whole'])
  t.strictSame(decision.keep.at(-1), { id: 'whole', reasons: ['the newest snapshot of schema public that is no pre_restore'] })
})

t.test('a pinned failed run stays as well', async (t) => {
  const rows = [1, 2, 3].map((age) => snapshot(`f${age}`, age, { status: 'failed', pinned: age === 3 }))
  t.strictSame(kept(applyRetention(rows, policy())), ['f1', 'f2', 'f3'])
})

const history = fc.uniqueArray(fc.record({
  id: fc.uuid(),
  schema: fc.constantFrom('public', 'tenant'),
  status: fc.constantFrom('completed' as const, 'restored' as const, 'failed' as const),
  trigger: fc.constantFrom('manual' as const, 'scheduled' as const, 'pre_restore' as const, 'import' as const),
  startedAt: fc.integer({ min: 0, max: 60 }).map(daysAgo),
  pinned: fc.boolean(),
  available: fc.boolean(),
  inUse: fc.boolean()
}), { selector: ({ id }) => id, maxLength: 40 })
const policies = fc.record({ maxBackups: fc.integer({ min: 1, max: 6 }), retentionDays: fc.option(fc.integer({ min: 1, max: 60 })), now: fc.constant(now) })

t.test('for any history and policy', async (t) => {
  fc.assert(fc.property(history, policies, (rows, policy) => {
    const decision = applyRetention(rows, policy)
    const isKept = new Set(kept(decision))
    const isNewer = (a: RetainedSnapshot, b: RetainedSnapshot): boolean =>
      a.startedAt > b.startedAt || (a.startedAt === b.startedAt && a.id > b.id)
    const kind = ({ status, available }: RetainedSnapshot): string => status === 'failed' ? 'failed' : available ? 'good' : 'lost'
    const isPeer = (a: RetainedSnapshot, b: RetainedSnapshot): boolean => a.schema === b.schema && kind(a) === kind(b)
    const isOwn = ({ trigger }: RetainedSnapshot): boolean => trigger !== 'pre_restore'

    // keep and remove are a partition of the input
    if (String([...isKept, ...removed(decision)].toSorted()) !== String(rows.map(({ id }) => id).toSorted())) return false
    // every decision has its reason
    if (decision.keep.some(({ reasons }) => reasons.length === 0) || decision.remove.some(({ reason }) => reason === '')) return false
    // applied to what it keeps, it keeps all of it
    if (applyRetention(rows.filter(({ id }) => isKept.has(id)), policy).remove.length > 0) return false

    return rows.every((row) => {
      const newer = rows.filter((other) => isPeer(row, other) && isNewer(other, row))
      const rank = newer.length
      const isExempt = row.pinned || row.inUse || (kind(row) === 'good' && (rank === 0 || (isOwn(row) && !newer.some(isOwn))))
      const isTooOld = kind(row) === 'good' && row.trigger === 'scheduled' && policy.retentionDays !== null &&
        now.getTime() - Date.parse(row.startedAt) > policy.retentionDays * day
      return isKept.has(row.id) === (isExempt || (rank < policy.maxBackups && !isTooOld))
    })
  }), { numRuns: 500 })
})
