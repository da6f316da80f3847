import fc from '../support/fast-check.ts'
import t from 'tap'
import {
  applyRetention,
  type RetainedSnapshot,
  type RetentionDecision,
  type RetentionPolicy
} from '../../lib/retention/apply-retention.ts'

const day = 24 * 60 * 60 * 1000
const now = new Date('2026-11-22T12:00:00.000Z')
const daysAgo = (days: number): string => new Date(now.getTime() - days * day).toISOString()

/** A row whose ordinal follows from its age in days. */
const snapshot = (id: string, age: number, rest: Partial<RetainedSnapshot> = {}): RetainedSnapshot => ({
  id,
  schema: 'public',
  ordinal: -age,
  status: 'completed',
  trigger: 'manual',
  insertedAt: daysAgo(age),
  pinned: false,
  available: true,
  inUse: false,
  justMade: false,
  partial: false,
  damaged: false,
  unaccepted: false,
  held: false,
  preRestoreId: null,
  ...rest
})
const policy = (rest: Partial<RetentionPolicy> = {}): RetentionPolicy => ({
  maxBackups: 2,
  retentionDays: 30,
  keep: {},
  now,
  ...rest
})
const kept = ({ keep }: RetentionDecision): string[] => keep.map(({ id }) => id)
const removed = ({ remove }: RetentionDecision): string[] => remove.map(({ id }) => id)

t.test('without rows nothing is decided', async (t) => {
  t.strictSame(applyRetention([], policy()), { keep: [], remove: [] })
})

t.test('the newest maxBackups of a schema stay, in any order of the rows, with reasons', async (t) => {
  t.strictSame(applyRetention([snapshot('c', 3), snapshot('a', 1), snapshot('b', 2)], policy()), {
    keep: [
      {
        id: 'a',
        reasons: [
          'the newest snapshot of schema public',
          'the newest full snapshot of schema public that is not suspect',
          'among the newest 2 of schema public'
        ]
      },
      { id: 'b', reasons: ['among the newest 2 of schema public'] }
    ],
    remove: [{ id: 'c', reason: 'beyond the newest 2 of schema public' }]
  })
})

t.test('the limits count per schema', async (t) => {
  const rows = ['one', 'two'].flatMap((schema) => [1, 2, 3].map((age) => snapshot(`${schema}-${age}`, age, { schema })))
  t.strictSame(removed(applyRetention(rows, policy())), ['one-3', 'two-3'])
})

t.test('of two rows with the same ordinal, the one with the greater id is newer', async (t) => {
  const rows = [snapshot('b', 1), snapshot('c', 1), snapshot('a', 1)]
  t.strictSame(kept(applyRetention(rows, policy())), ['c', 'b'])
  t.strictSame(kept(applyRetention(rows.toReversed(), policy())), ['c', 'b'])
})

t.test('the order of insertion decides, and not the clock', async (t) => {
  const rows = [
    snapshot('ahead', 3, { insertedAt: daysAgo(-400) }),
    snapshot('behind', 2, { insertedAt: daysAgo(4000) }),
    snapshot('newest', 1)
  ]
  t.strictSame(removed(applyRetention(rows, policy())), ['ahead'])
})

t.test('a restored snapshot counts like any other', async (t) => {
  t.strictSame(
    removed(
      applyRetention(
        [snapshot('a', 1), snapshot('b', 2, { status: 'restored' }), snapshot('c', 3, { status: 'restored' })],
        policy()
      )
    ),
    ['c']
  )
})

t.test('only scheduled snapshots are removed when they are older than retentionDays', async (t) => {
  const rows = [
    snapshot('newest', 0),
    snapshot('manual', 31),
    snapshot('import', 31, { trigger: 'import' }),
    snapshot('pre', 31, { trigger: 'pre_restore' }),
    snapshot('exactly', 30, { trigger: 'scheduled' }),
    snapshot('older', 30 + 1 / day, { trigger: 'scheduled' })
  ]
  const decision = applyRetention(rows, policy({ maxBackups: 50 }))
  t.strictSame(decision.remove, [{ id: 'older', reason: 'scheduled and older than 30 days' }])
  t.strictSame(removed(applyRetention(rows, policy({ maxBackups: 50, retentionDays: null }))), [])
})

t.test('a snapshot beyond maxBackups that is too old has both reasons', async (t) => {
  const rows = [snapshot('a', 1), snapshot('b', 40, { trigger: 'scheduled' })]
  t.strictSame(applyRetention(rows, policy({ maxBackups: 1 })).remove, [
    { id: 'b', reason: 'beyond the newest 1 of schema public; scheduled and older than 30 days' }
  ])
})

t.test('the newest snapshot of a schema stays at any age; a failed run does not count as one', async (t) => {
  const rows = [
    snapshot('failed', 1, { status: 'failed', trigger: 'scheduled' }),
    snapshot('good', 400, { trigger: 'scheduled' })
  ]
  t.strictSame(applyRetention(rows, policy()).keep, [
    {
      id: 'good',
      reasons: ['the newest snapshot of schema public', 'the newest full snapshot of schema public that is not suspect']
    },
    { id: 'failed', reasons: ['among the newest 2 failed runs of schema public'] }
  ])
})

t.test('pinned snapshots and those in use stay and count', async (t) => {
  const rows = [
    snapshot('a', 1, { pinned: true }), snapshot('b', 2), snapshot('c', 3), snapshot('pinned', 4, { pinned: true }),
    snapshot('used', 400, { trigger: 'scheduled', inUse: true }), snapshot('both', 500, { pinned: true, inUse: true })
  ]
  const decision = applyRetention(rows, policy())
  t.strictSame(removed(decision), ['c'])
  t.strictSame(decision.keep.slice(-3), [
    { id: 'pinned', reasons: ['pinned'] },
    { id: 'used', reasons: ['in use'] },
    { id: 'both', reasons: ['pinned', 'in use'] }
  ])
})

t.test('fifty failed runs remove no snapshot; the newest of them stay as history', async (t) => {
  const failures = Array.from({ length: 50 }, (_, index) =>
    snapshot(`f${index}`, index, { status: 'failed', trigger: 'scheduled' })
  )
  const decision = applyRetention([...failures, snapshot('a', 60), snapshot('b', 61)], policy())
  t.strictSame(kept(decision), ['a', 'b', 'f0', 'f1'])
  t.equal(decision.remove.length, 48)
  t.strictSame(decision.remove[0], { id: 'f2', reason: 'beyond the newest 2 failed runs of schema public' })
})

t.test('a snapshot without a file removes no other one and does not count as the newest', async (t) => {
  const rows = [
    snapshot('lost', 1, { available: false }),
    snapshot('other', 2, { available: false }),
    snapshot('third', 3, { available: false }),
    snapshot('a', 4),
    snapshot('b', 5)
  ]
  const decision = applyRetention(rows, policy())
  t.strictSame(kept(decision), ['a', 'b', 'lost', 'other'])
  t.strictSame(decision.remove, [
    { id: 'third', reason: 'beyond the newest 2 snapshots without a file of schema public' }
  ])
  t.strictSame(
    removed(
      applyRetention(
        rows.map((row) => ({ ...row, held: row.id === 'third' })),
        policy()
      )
    ),
    [],
    'a held one stays: its file may exist'
  )
})

t.test('pre_restore snapshots, which may be partial, never remove the last other snapshot', async (t) => {
  const rows = [1, 2, 3].map((age) => snapshot(`pre${age}`, age, { trigger: 'pre_restore' }))
  const decision = applyRetention([...rows, snapshot('whole', 4), snapshot('older', 5)], policy())
  t.strictSame(kept(decision), ['pre1', 'pre2', 'whole'])
  t.strictSame(decision.keep[0]?.reasons, [
    'the newest snapshot of schema public', 'among the newest 2 of schema public'
  ])
  t.strictSame(decision.keep.at(-1), {
    id: 'whole',
    reasons: [
      'the newest snapshot of schema public that is not pre_restore and not partial',
      'the newest full snapshot of schema public that is not suspect'
    ]
  })
})

t.test('the newest pre_restore snapshot stays, and so does one that was just created', async (t) => {
  const rows = [
    snapshot('a', 1),
    snapshot('b', 2),
    snapshot('pre', 3, { trigger: 'pre_restore' }),
    snapshot('made', 4, { justMade: true }),
    snapshot('old', 5)
  ]
  const decision = applyRetention(rows, policy())
  t.strictSame(removed(decision), ['old'])
  t.strictSame(decision.keep.slice(2), [
    { id: 'pre', reasons: ['the newest pre_restore snapshot of schema public'] },
    { id: 'made', reasons: ['just created'] }
  ])
})

t.test('partial snapshots are counted separately', async (t) => {
  const rows = [
    ...[1, 2, 3].map((age) => snapshot(`p${age}`, age, { partial: true })),
    ...[4, 5, 6].map((age) => snapshot(`f${age}`, age))
  ]
  t.strictSame(applyRetention(rows, policy()), {
    keep: [
      {
        id: 'p1',
        reasons: ['the newest snapshot of schema public', 'among the newest 2 partial ones of schema public']
      },
      { id: 'p2', reasons: ['among the newest 2 partial ones of schema public'] },
      {
        id: 'f4',
        reasons: [
          'the newest snapshot of schema public that is not pre_restore and not partial',
          'the newest full snapshot of schema public that is not suspect',
          'among the newest 2 of schema public'
        ]
      },
      { id: 'f5', reasons: ['among the newest 2 of schema public'] }
    ],
    remove: [
      { id: 'p3', reason: 'beyond the newest 2 partial ones of schema public' },
      { id: 'f6', reason: 'beyond the newest 2 of schema public' }
    ]
  })
})

t.test('held snapshots stay at any age, and suspects are counted separately', async (t) => {
  const suspects = [1, 2, 3].map((age) => snapshot(`s${age}`, age, { unaccepted: true }))
  const held = [40, 41].map((age) => snapshot(`h${age}`, age, { held: true, trigger: 'scheduled' }))
  const decision = applyRetention([...suspects, ...held], policy())
  t.strictSame(decision.remove, [{ id: 's3', reason: 'beyond the newest 2 suspect ones of schema public' }])
  t.strictSame(decision.keep.at(-1), {
    id: 'h41',
    reasons: ['held until a suspect or an adopted snapshot is accepted, or the lost tables are restored']
  })
})

t.test('suspects never remove good snapshots, even when none is held', async (t) => {
  const rows = [
    snapshot('pre', 1, { trigger: 'pre_restore' }),
    ...[2, 3, 4].map((age) => snapshot(`s${age}`, age, { unaccepted: true })),
    ...[5, 6].map((age) => snapshot(`g${age}`, age))
  ]
  t.strictSame(applyRetention(rows, policy()).remove, [
    { id: 's4', reason: 'beyond the newest 2 suspect ones of schema public' },
    { id: 'g6', reason: 'beyond the newest 2 of schema public' }
  ])
})

t.test('the newest full snapshot that is not suspect stays beyond any limit', async (t) => {
  const rows = [
    snapshot('import', 1, { trigger: 'import' }),
    snapshot('partial', 2, { partial: true }),
    snapshot('suspect', 3, { unaccepted: true }),
    snapshot('good', 400, { trigger: 'scheduled' }),
    snapshot('older', 401, { trigger: 'scheduled' })
  ]
  const decision = applyRetention(rows, policy({ maxBackups: 1 }))
  t.strictSame(removed(decision), ['older'])
  t.strictSame(decision.keep.at(-1), {
    id: 'good',
    reasons: ['the newest full snapshot of schema public that is not suspect']
  })
})

t.test('a damaged snapshot takes no place: the newest ones that are not damaged stay', async (t) => {
  const rows = [
    snapshot('d1', 1, { damaged: true }), snapshot('d2', 2, { damaged: true }), snapshot('d3', 3, { damaged: true }),
    snapshot('partial', 4, { partial: true }), snapshot('good', 50, { trigger: 'scheduled' }),
    snapshot('old', 51, { trigger: 'scheduled' })
  ]
  t.strictSame(applyRetention(rows, policy({ maxBackups: 1 })), {
    keep: [
      {
        id: 'd1',
        reasons: ['the newest snapshot of schema public', 'among the newest 1 damaged ones of schema public']
      },
      {
        id: 'partial',
        reasons: [
          'the newest snapshot of schema public that is not damaged', 'among the newest 1 partial ones of schema public'
        ]
      },
      {
        id: 'good',
        reasons: [
          'the newest snapshot of schema public that is not pre_restore and not partial',
          'the newest full snapshot of schema public that is not suspect'
        ]
      }
    ],
    remove: [
      { id: 'd2', reason: 'beyond the newest 1 damaged ones of schema public' },
      { id: 'd3', reason: 'beyond the newest 1 damaged ones of schema public' },
      { id: 'old', reason: 'beyond the newest 1 of schema public; scheduled and older than 30 days' }
    ]
  })
  const daily = [snapshot('damaged', 0.1, { damaged: true }), snapshot('first', 0.2), snapshot('second', 0.3)]
  const { keep } = applyRetention(daily, policy({ maxBackups: 1, keep: { daily: 1 } }))
  t.ok(keep.find(({ id }) => id === 'first')?.reasons.includes('the newest of day 2026-11-22'))
})

t.test('the source of the newest restore stays, but not that of an older one', async (t) => {
  const rows = [
    snapshot('a', 1),
    snapshot('p2', 2, { trigger: 'pre_restore' }),
    snapshot('p1', 3, { trigger: 'pre_restore' }),
    snapshot('source', 400, { trigger: 'scheduled', preRestoreId: 'p2' }),
    snapshot('former', 401, { preRestoreId: 'p1' })
  ]
  const decision = applyRetention(rows, policy({ maxBackups: 1 }))
  t.strictSame(removed(decision), ['p1', 'former'])
  t.strictSame(decision.keep.at(-1), { id: 'source', reasons: ['the source of the newest restore'] })
})

t.test('the newest of each of the last periods stays, beyond maxBackups and retentionDays', async (t) => {
  const days = Array.from({ length: 100 }, (_, age) => snapshot(`d${age}`, age, { trigger: 'scheduled' }))
  const decision = applyRetention(days, policy({ keep: { daily: 3, weekly: 2, monthly: 3, yearly: 5 } }))
  // 2026-11-22 is a Sunday
  t.strictSame(kept(decision), ['d0', 'd1', 'd2', 'd7', 'd22', 'd53'])
  t.strictSame(decision.keep.slice(2), [
    { id: 'd2', reasons: ['the newest of day 2026-11-20'] },
    { id: 'd7', reasons: ['the newest of week from 2026-11-09'] },
    { id: 'd22', reasons: ['the newest of month 2026-10'] },
    { id: 'd53', reasons: ['the newest of month 2026-09'] }
  ])
})

t.test('hours and years are periods, too', async (t) => {
  const rows = [snapshot('new', 0), snapshot('hour', 1 / 24), snapshot('year', 365)]
  t.strictSame(applyRetention(rows, policy({ maxBackups: 1, keep: { hourly: 2, yearly: 2 } })).keep.slice(1), [
    { id: 'hour', reasons: ['the newest of hour 2026-11-22T11'] },
    { id: 'year', reasons: ['the newest of year 2025'] }
  ])
})

t.test('the newest complete snapshot of a period stays if not suspect; periods without one do not count', async (t) => {
  const hours = (count: number): number => count / 24
  const rows = [
    snapshot('new', 0),
    snapshot('second', hours(1)),
    ...[28, 29].map((age) => snapshot(`suspect-${age}`, hours(age), { unaccepted: true })),
    snapshot('suspect', hours(30), { unaccepted: true }),
    snapshot('partial', hours(31), { partial: true }),
    snapshot('pre', hours(32), { trigger: 'pre_restore' }),
    snapshot('good', hours(33)),
    snapshot('older', hours(34)),
    snapshot('week', 9)
  ]
  const decision = applyRetention(rows, policy({ keep: { daily: 3 } }))
  t.strictSame(removed(decision), ['suspect', 'older'])
  t.strictSame(
    removed(
      applyRetention(
        [snapshot('a', 0), snapshot('b', hours(0.2)), snapshot('c', hours(1))],
        policy({ maxBackups: 1, keep: { hourly: 2 } })
      )
    ),
    ['c']
  )
})

t.test('a pinned failed run stays', async (t) => {
  const rows = [1, 2, 3].map((age) => snapshot(`f${age}`, age, { status: 'failed', pinned: age === 3 }))
  t.strictSame(kept(applyRetention(rows, policy())), ['f1', 'f2', 'f3'])
})

const history = fc.uniqueArray(fc.record({
  id: fc.uuid(),
  schema: fc.constantFrom('public', 'tenant'),
  ordinal: fc.integer({ min: -20, max: 20 }),
  status: fc.constantFrom('completed' as const, 'restored' as const, 'failed' as const),
  trigger: fc.constantFrom('manual' as const, 'scheduled' as const, 'pre_restore' as const, 'import' as const),
  insertedAt: fc.integer({ min: -400, max: 400 }).map(daysAgo),
  pinned: fc.boolean(),
  available: fc.boolean(),
  inUse: fc.boolean(),
  justMade: fc.boolean(),
  partial: fc.boolean(),
  damaged: fc.boolean(),
  unaccepted: fc.boolean(),
  held: fc.boolean(),
  preRestoreId: fc.constantFrom(null, 'a', 'b')
}), { selector: ({ id }) => id, maxLength: 40 })
const count = fc.integer({ min: 1, max: 4 })
const policies = fc.record({
  maxBackups: fc.integer({ min: 1, max: 6 }),
  retentionDays: fc.option(fc.integer({ min: 1, max: 60 })),
  keep: fc.record({ hourly: count, daily: count, weekly: count, monthly: count, yearly: count }, { requiredKeys: [] }),
  now: fc.constant(now)
})

const goodKind = (unaccepted: boolean, partial: boolean): string =>
  unaccepted ? 'suspect' : partial ? 'partial' : 'whole'

t.test('for any history and policy', async (t) => {
  fc.assert(fc.property(history, policies, (rows, policy) => {
    const decision = applyRetention(rows, policy)
    const isKept = new Set(kept(decision))
    const isNewer = (a: RetainedSnapshot, b: RetainedSnapshot): boolean =>
      a.ordinal > b.ordinal || (a.ordinal === b.ordinal && a.id > b.id)
    const kind = ({ status, available, damaged, partial, unaccepted }: RetainedSnapshot): string =>
      status === 'failed' ? 'failed' : !available ? 'lost' : damaged ? 'damaged' : goodKind(unaccepted, partial)
    const isGood = (row: RetainedSnapshot): boolean => ['damaged', 'suspect', 'partial', 'whole'].includes(kind(row))
    const isIntact = (row: RetainedSnapshot): boolean => isGood(row) && !row.damaged
    const isFull = (row: RetainedSnapshot): boolean => isIntact(row) && !row.partial && row.trigger !== 'pre_restore'
    const isPeriodic = (row: RetainedSnapshot): boolean => isFull(row) && !row.unaccepted
    const monthOf = ({ insertedAt }: RetainedSnapshot): string => insertedAt.slice(0, 7)

    // keep and remove are a partition of the input
    if (String([...isKept, ...removed(decision)].toSorted()) !== String(rows.map(({ id }) => id).toSorted())) {
      return false
    }
    // every decision has its reason
    if (
      decision.keep.some(({ reasons }) => reasons.length === 0) ||
      decision.remove.some(({ reason }) => reason === '')
    ) { return false }
    // applied to what it keeps, it keeps all of it
    if (applyRetention(rows.filter(({ id }) => isKept.has(id)), policy).remove.length > 0) return false

    return rows.every((row) => {
      const newer = rows.filter((other) => other.schema === row.schema && isNewer(other, row))
      const rank = newer.filter((other) => kind(other) === kind(row) && !(isGood(other) && other.held)).length
      const isNewest = (is: (other: RetainedSnapshot) => boolean): boolean => is(row) && !newer.some(is)
      const isExempt =
        row.pinned ||
        row.inUse ||
        (isGood(row) && (row.justMade || row.held)) ||
        isNewest(isGood) ||
        isNewest(isIntact) ||
        isNewest(isFull) ||
        isNewest((other) => isPeriodic(other) && other.trigger !== 'import') ||
        isNewest((other) => isGood(other) && other.trigger === 'pre_restore')
      const isTooOld = isGood(row) && row.trigger === 'scheduled' && policy.retentionDays !== null &&
        now.getTime() - Date.parse(row.insertedAt) > policy.retentionDays * day
      const wanted = isExempt || (rank < policy.maxBackups && !isTooOld)
      if (wanted && !isKept.has(row.id)) return false
      const newerMonths = newer.filter(isPeriodic).map(monthOf)
      const isOfMonth =
        isPeriodic(row) && !newerMonths.includes(monthOf(row)) && new Set(newerMonths).size < (policy.keep.monthly ?? 0)
      if (isOfMonth && !isKept.has(row.id)) return false
      const isWithoutRules = Object.values(policy.keep).every((rule) => rule === undefined)
      return !isWithoutRules || isKept.has(row.id) === wanted
    })
  }), { numRuns: 1000 })
})
