import fc from '../support/fast-check.ts'
import t from 'tap'
import { findHold } from '../../lib/retention/find-hold.ts'
import { findShrunkTables, type GuardLimits } from '../../lib/retention/find-shrunk-tables.ts'
import type { CountedSnapshot, GuardedSnapshot } from '../../lib/retention/guarded-snapshot.ts'

const limits: GuardLimits = { shrink: 0.5, minRows: 100, window: 3, ignoreTables: [] }

type Snapshot = GuardedSnapshot & CountedSnapshot

const snapshot = (ordinal: number, rowCounts: Snapshot['rowCounts'], rest: Partial<Snapshot> = {}): Snapshot => ({
  ordinal,
  trigger: 'scheduled',
  partial: false,
  adopted: false,
  suspect: null,
  accepted: false,
  isRestored: false,
  rowCounts,
  restoredRows: null,
  ...rest
})
const suspect = [{ table: 'users', rowsBefore: 1000, rows: 0 }]
/** The names of the shrunk tables; `*` for the total. */
const shrunk = (
  earlier: Snapshot[],
  counts: Record<string, number | null>,
  rest: Partial<GuardLimits> = {}
): string[] => (findShrunkTables(earlier, counts, { ...limits, ...rest }) ?? []).map(({ table }) => table ?? '*')

t.test('the first snapshot is never suspect', async (t) => {
  t.equal(findShrunkTables([], { users: 0 }, { ...limits, minRows: 1 }), null)
})

t.test('a table that lost too many rows makes the snapshot suspect, and so does the total', async (t) => {
  t.strictSame(findShrunkTables([snapshot(1, { users: 1000, items: 300 })], { users: 499, items: 150 }, limits),
    [{ table: 'users', rowsBefore: 1000, rows: 499 }, { table: null, rowsBefore: 1300, rows: 649 }])
  t.strictSame(shrunk([snapshot(1, { users: 1000 })], { users: 500 }), [], 'half of the rows may be lost')
  t.strictSame(shrunk([snapshot(1, { users: 1000 })], { users: 999 }, { shrink: 0 }), ['users', '*'])
})

t.test('small tables are ignored, except in the total', async (t) => {
  t.strictSame(shrunk([snapshot(1, { a: 99 })], { a: 0 }), [])
  t.strictSame(shrunk([snapshot(1, { a: 50, b: 49 })], { a: 0, b: 0 }), [])
  t.strictSame(shrunk([snapshot(1, { a: 50, b: 50 })], { a: 0, b: 0 }), ['*'])
})

t.test('a table that no longer exists makes the snapshot suspect, whatever share may be lost', async (t) => {
  t.strictSame(
    findShrunkTables(
      [snapshot(1, { users: 100, items: 1_000_000 })],
      { items: 1_000_000 },
      { ...limits, shrink: 0.99 }
    ),
    [{ table: 'users', rowsBefore: 100, rows: 0 }]
  )
})

t.test('a table that exists and is left out is not lost, and does not count in the total', async (t) => {
  t.strictSame(shrunk([snapshot(1, { users: 1000, items: 200 })], { users: null, items: 200 }), [])
  t.strictSame(shrunk([snapshot(1, { users: null, items: 200 })], { users: 3, items: 200 }), [])
  t.strictSame(findShrunkTables([snapshot(1, { users: null, items: 1000 })], { users: 3, items: 0 }, limits), [
    { table: 'items', rowsBefore: 1000, rows: 0 }, { table: null, rowsBefore: 1000, rows: 3 }
  ])
})

t.test('a snapshot that left a table out does not change the baseline of the table', async (t) => {
  t.strictSame(
    shrunk([snapshot(1, { users: 1000 }), snapshot(2, { users: null })], { users: 3 }),
    ['users'],
    'the total is that of the tables in each snapshot'
  )
  t.strictSame(
    shrunk([snapshot(1, { users: null, items: 200 })], { items: 200 }, { minRows: 1 }),
    [],
    'without any count the table may be dropped'
  )
})

t.test('ignored tables are not compared', async (t) => {
  t.strictSame(
    shrunk([snapshot(1, { jobs: 1000, items: 200 })], { jobs: 0, items: 200 }, { ignoreTables: ['jobs'] }),
    []
  )
  t.strictSame(shrunk([snapshot(1, { jobs: 1000 })], {}, { ignoreTables: ['jobs'] }), [])
  t.strictSame(
    findShrunkTables([snapshot(1, { jobs: 7, items: 1000 })], { jobs: 7, items: 0 }, {
      ...limits, ignoreTables: ['jobs']
    }),
    [{ table: 'items', rowsBefore: 1000, rows: 0 }, { table: null, rowsBefore: 1000, rows: 0 }]
  )
})

t.test('the baseline is the smallest count in the window: a queue that may be empty is not suspect', async (t) => {
  const earlier = [snapshot(1, { jobs: 10 }), snapshot(2, { jobs: 1000 }), snapshot(3, { jobs: 800 })]
  t.strictSame(shrunk(earlier, { jobs: 0 }), [])
  t.strictSame(
    shrunk([...earlier, snapshot(4, { jobs: 900 })], { jobs: 0 }),
    ['jobs', '*'],
    'the empty snapshot is no longer in the window'
  )
})

t.test('a temporary table is not suspect when it is dropped again, but a new table is', async (t) => {
  t.strictSame(
    shrunk([snapshot(1, { stage: 1000 }), snapshot(2, {}), snapshot(3, { stage: 1000 })], {}, { minRows: 1 }),
    []
  )
  t.strictSame(shrunk([snapshot(1, { a: 500 }), snapshot(2, { a: 500, b: 200 })], { a: 500 }), ['b'])
})

t.test('a table may have any name', async (t) => {
  const counts = JSON.parse('{"__proto__": 1000, "constructor": 1000}')
  t.strictSame(shrunk([snapshot(1, counts)], {}), ['__proto__', 'constructor', '*'])
  t.strictSame(shrunk([snapshot(1, counts)], counts), [])
})

t.test('suspect, partial, imported, pre_restore and uncounted snapshots are not the baseline', async (t) => {
  const good = snapshot(1, { users: 1000 })
  const others = [
    snapshot(2, { users: 1 }, { suspect }),
    snapshot(3, { users: 2 }, { partial: true }),
    snapshot(4, { users: 3 }, { trigger: 'import' }),
    snapshot(5, { users: 4 }, { trigger: 'pre_restore' }),
    snapshot(6, null)
  ]
  t.strictSame(findShrunkTables([...others, good], { users: 5 }, limits), [
    { table: 'users', rowsBefore: 1000, rows: 5 }, { table: null, rowsBefore: 1000, rows: 5 }
  ])
  t.strictSame(
    shrunk([good, snapshot(2, { users: 8 }, { suspect, accepted: true })], { users: 5 }),
    [],
    'an accepted suspect is'
  )
})

t.test('after a restore the restored rows are the baseline of the tables that it replaced', async (t) => {
  const before = snapshot(1, { users: 1000, items: 1000 })
  const restore = (restoredRows: Record<string, number>): Snapshot =>
    snapshot(2, { users: 1000 }, { trigger: 'pre_restore', restoredRows })
  t.strictSame(shrunk([before, restore({ users: 10, items: 1000 })], { users: 10, items: 1000 }), [])
  t.strictSame(shrunk([before, restore({ users: 10 })], { users: 10, items: 3 }), ['items'])
  t.strictSame(shrunk([before, restore({ users: 400, items: 1000 })], { users: 100, items: 1000 }), ['users'])
  t.strictSame(shrunk([before, restore({ users: 400, items: 1000 })], { users: 400, items: 0 }), ['items', '*'])
  t.strictSame(
    shrunk([before, restore({ users: 10 }), snapshot(3, { users: 500, items: 1000 })], { users: 500, items: 1000 }),
    []
  )
})

t.test('counts from before a restore no longer matter for the tables that it replaced', async (t) => {
  const before = snapshot(1, { users: 10, items: 1000 })
  const restore = snapshot(2, { users: 10 }, { trigger: 'pre_restore', restoredRows: { users: 1000, items: 1000 } })
  t.strictSame(shrunk([before, restore], { users: 10, items: 1000 }), ['users'])
})

t.test('after a restore of some of the compared tables the total is not known', async (t) => {
  const before = snapshot(1, { users: 1000, items: 1000 })
  const restore = snapshot(2, { users: 1000 }, { trigger: 'pre_restore', restoredRows: { users: 1000 } })
  t.strictSame(shrunk([before, restore], { users: 100, items: 100 }), ['items', 'users'])
  t.strictSame(shrunk([before, restore], { users: 100, items: 100 }, { ignoreTables: ['items'] }), ['users', '*'])
})

t.test('snapshots before the first suspect are held until a later one is not suspect', async (t) => {
  const rows = [
    snapshot(1, {}),
    snapshot(2, {}, { suspect }),
    snapshot(3, {}),
    snapshot(4, {}, { trigger: 'import' }),
    snapshot(5, {}, { partial: true }),
    snapshot(6, {}, { suspect }),
    snapshot(7, {}, { trigger: 'pre_restore' }),
    snapshot(8, {}, { suspect })
  ]
  const held = (snapshots: GuardedSnapshot[]): number[] =>
    snapshots.filter(findHold(snapshots).isHeld).map(({ ordinal }) => ordinal)
  t.strictSame(held(rows), [1, 3])
  t.equal(findHold(rows).newestSuspect?.ordinal, 8)
  t.strictSame(held([...rows, snapshot(9, {}, { partial: true })]), [1, 3], 'a partial one does not end the hold')
  t.strictSame(held([...rows, snapshot(9, {})]), [])
  t.equal(findHold([...rows, snapshot(9, {})]).newestSuspect, undefined)
  t.strictSame(
    held([...rows, snapshot(9, {}, { trigger: 'import', accepted: true })]),
    [1, 3],
    'nor does an accepted import'
  )
  t.strictSame(held(rows.map((row) => row.ordinal === 8 ? { ...row, accepted: true } : row)), [])
  t.strictSame(
    held(rows.map((row) => (row.ordinal === 6 ? { ...row, accepted: true } : row))),
    [1, 3, 6],
    'only the newest counts'
  )
})

t.test('a suspect whose tables were restored is no longer pending, but an earlier one may be', async (t) => {
  const rows = [
    snapshot(1, {}),
    snapshot(2, {}, { suspect }),
    snapshot(3, {}, { suspect }),
    snapshot(4, {}, { suspect })
  ]
  const answer = (...ordinals: number[]): Snapshot[] =>
    rows.map((row) => ({ ...row, isRestored: ordinals.includes(row.ordinal) }))
  const holdOf = (snapshots: GuardedSnapshot[]): unknown[] => {
    const { newestSuspect, firstSuspect, isHeld } = findHold(snapshots)
    return [newestSuspect?.ordinal, firstSuspect?.ordinal, snapshots.filter(isHeld).map(({ ordinal }) => ordinal)]
  }
  t.strictSame(holdOf(rows), [4, 2, [1]])
  t.strictSame(holdOf(answer(4)), [3, 2, [1]])
  t.strictSame(holdOf(answer(2, 3)), [4, 4, [1]])
  t.strictSame(holdOf(answer(2, 3, 4)), [undefined, undefined, []])
})

t.test('adopted snapshots are held without a suspect', async (t) => {
  const { isHeld, newestSuspect } = findHold([snapshot(1, {}, { adopted: true, partial: true })])
  t.equal(isHeld(snapshot(1, {}, { adopted: true, suspect })), true)
  t.equal(isHeld(snapshot(2, {})), false)
  t.equal(newestSuspect, undefined)
})

t.test(
  'for any history, a snapshot without losses is not suspect, and an empty one after enough rows is',
  async (t) => {
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 2000 }))
    const histories = fc.array(fc.record({ counts, suspect: fc.constantFrom(null, suspect), partial: fc.boolean() }), {
      maxLength: 8
    })
    fc.assert(
      fc.property(histories, (states) => {
        const rows = states.map(({ counts, ...rest }, ordinal) => snapshot(ordinal, counts, rest))
        const good = rows.filter((row) => row.suspect === null && !row.partial).slice(-limits.window)
        const most: Record<string, number> = {}
        for (const { rowCounts } of good) {
          for (const [table, count] of Object.entries(rowCounts ?? {})) {
            most[table] = Math.max(most[table] ?? 0, count ?? 0)
          }
        }
        if (findShrunkTables(rows, most, limits) !== null) return false
        const isInAll = ['a', 'b', 'c'].some(
          (table) => good.length > 0 && good.every(({ rowCounts }) => (rowCounts?.[table] ?? 0) >= limits.minRows)
        )
        return !isInAll || findShrunkTables(rows, {}, limits) !== null
      }),
      { numRuns: 500 }
    )
  }
)
