import fc from '../support/fast-check.ts'
import t from 'tap'
import { applyRetention, type RetainedSnapshot } from '../../lib/retention/apply-retention.ts'
import { findHold } from '../../lib/retention/find-hold.ts'
import { findShrunkTables } from '../../lib/retention/find-shrunk-tables.ts'
import {
  type CountedSnapshot, type GuardedSnapshot, isUnaccepted, isFull
} from '../../lib/retention/guarded-snapshot.ts'

const limits = { shrink: 0.5, minRows: 100, window: 7, ignoreTables: [] }
const day = 24 * 60 * 60_000

interface Row extends GuardedSnapshot, CountedSnapshot {
  id: string
  insertedAt: string
  pinned: boolean
  preRestoreId: string | null
  /** The tables that restores have replaced since. */
  replaced: string[]
}

type Counts = Record<'users' | 'items', number>

/** An event in the history of a schema. A pruning follows each, with a clock that may be wrong. */
type Event =
  | { kind: 'backup', counts: Counts, partial: boolean, clock: number, pinned: boolean }
  | { kind: 'import', clock: number }
  | { kind: 'restore', source: number, tables: Array<'users' | 'items'> | undefined, fails: boolean, clock: number }
  | { kind: 'accept', clock: number }
  | { kind: 'adopt', counts: Counts, clock: number }

const clock = fc.integer({ min: -1000, max: 1000 })
const rowCount = fc.constantFrom(0, 150, 1000, 1000, 1000)
const counts = fc.record({ users: rowCount, items: rowCount })
const emptied = fc.constant({ users: 0, items: 0 })
const one = fc.integer({ min: 0, max: 9 }).map((n) => n === 0)
const events = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('backup' as const), counts, partial: one, clock, pinned: one })
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('backup' as const),
        counts: emptied,
        partial: one,
        clock,
        pinned: fc.constant(false)
      })
    },
    fc.record({ kind: fc.constant('import' as const), clock }),
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('restore' as const),
        source: fc.nat(50),
        tables: fc.option(fc.constantFrom<Array<'users' | 'items'>>(['users'], ['items']), { nil: undefined }),
        fails: one,
        clock
      })
    },
    fc.record({ kind: fc.constant('accept' as const), clock }),
    fc.record({ kind: fc.constant('adopt' as const), counts, clock })
  ),
  { maxLength: 60 }
)
const policies = fc.record({
  maxBackups: fc.integer({ min: 1, max: 4 }),
  retentionDays: fc.option(fc.integer({ min: 1, max: 60 })),
  keep: fc.constantFrom<Record<string, number>>({}, { daily: 2 }, { hourly: 1, yearly: 2 })
})

const isGood = (row: Row): boolean => isFull(row) && !isUnaccepted(row)
const newest = (rows: Row[], is: (row: Row) => boolean): Row | undefined =>
  rows.filter(is).sort((a, b) => b.ordinal - a.ordinal)[0]
const isPreRestore = ({ trigger }: Row): boolean => trigger === 'pre_restore'

/** Changes the rows as the log does when a restore completes. */
function note (log: Row[], source: Row, { tables }: { tables: string[] | undefined }, preRestoreId: string): Row[] {
  const isWhole = tables === undefined && !source.partial
  return log.map((row) => {
    const replaced = [...row.replaced, ...tables ?? ['users', 'items']]
    const named = (row.suspect ?? []).flatMap(({ table }) => table ?? [])
    const isRestored =
      row.isRestored ||
      (row.suspect !== null && (named.length > 0 ? named.every((table) => replaced.includes(table)) : isWhole))
    return {
      ...row,
      replaced,
      isRestored,
      adopted: row.adopted && !isWhole,
      preRestoreId: row.id === source.id ? preRestoreId : row.preRestoreId
    }
  })
}

function isSafe (
  happened: Event[],
  policy: { maxBackups: number; retentionDays: number | null; keep: Record<string, number> }
): boolean {
  let log: Row[] = []
  let ordinal = 0
  let lowest = 0
  for (const event of happened) {
    const formerLog = log
    const formerHold = findHold(log)
    const base: Omit<Row, 'id' | 'ordinal' | 'trigger'> = {
      partial: false,
      adopted: false,
      isRestored: false,
      suspect: null,
      accepted: false,
      rowCounts: null,
      restoredRows: null,
      insertedAt: new Date(event.clock * day).toISOString(),
      pinned: false,
      preRestoreId: null,
      replaced: []
    }
    let made: Row | undefined
    let restored: Row | undefined
    if (event.kind === 'accept') {
      const { newestSuspect } = formerHold
      log = log.map((row) => ({
        ...row,
        accepted: row.accepted || row.ordinal === newestSuspect?.ordinal,
        adopted: row.adopted && newestSuspect === undefined
      }))
    } else if (event.kind === 'adopt') {
      lowest--
      log = [
        ...log,
        { ...base, id: `a${-lowest}`, ordinal: lowest, trigger: 'scheduled', adopted: true, rowCounts: event.counts }
      ]
    } else {
      const trigger = event.kind === 'backup' ? 'scheduled' : event.kind === 'import' ? 'import' : 'pre_restore'
      made = { ...base, id: `s${++ordinal}`, ordinal, trigger }
      if (event.kind === 'backup') {
        const suspect = event.partial ? null : findShrunkTables(log, event.counts, limits)
        made = { ...made, rowCounts: event.counts, partial: event.partial, suspect, pinned: event.pinned }
      } else if (event.kind === 'restore') {
        const source = log[event.source % Math.max(1, log.length)]
        if (source === undefined) continue
        restored = source
        if (event.fails) log = log.map((row) => (row.id === source.id ? { ...row, preRestoreId: `s${ordinal}` } : row))
        else {
          const rows = Object.fromEntries(
            (event.tables ?? ['users', 'items']).map((table) => [table, source.rowCounts?.[table] ?? 1000])
          )
          log = note(log, source, event, made.id)
          made = { ...made, restoredRows: rows }
        }
      }
      log = [...log, made]
    }
    const before = log
    const madeId = made?.id
    const hold = findHold(before)
    const retained = before.map((row): RetainedSnapshot => ({
      ...row,
      schema: 'public',
      status: 'completed',
      available: true,
      inUse: false,
      justMade: row.id === madeId,
      damaged: false,
      unaccepted: isUnaccepted(row),
      held: hold.isHeld(row)
    }))
    const { remove } = applyRetention(retained, { ...policy, now: new Date(event.clock * day) })
    const gone = new Set(remove.map(({ id }) => id))
    log = before.filter(({ id }) => !gone.has(id))
    const isThere = (row: Row | undefined): boolean => row === undefined || !gone.has(row.id)

    if (!isThere(made) || !isThere(restored)) return false
    if (before.some((row) => gone.has(row.id) && (row.pinned || row.adopted))) return false
    if (!isThere(newest(before, isPreRestore)) || !isThere(newest(before, isGood))) return false
    const { id: preRestoreId } = newest(before, isPreRestore) ?? { id: 'none' }
    if (before.some((row) => row.preRestoreId === preRestoreId && gone.has(row.id))) return false
    if (
      before.some(({ partial, trigger }) => !partial && trigger !== 'pre_restore') &&
      !log.some(({ partial, trigger }) => !partial && trigger !== 'pre_restore')
    ) { return false }
    // Held snapshots stay while their suspect is pending, and suspects do not remove good snapshots
    const waits = (row: GuardedSnapshot): boolean =>
      before.some((other) => other.ordinal === row.ordinal && isUnaccepted(other) && !other.isRestored)
    if (
      event.kind === 'restore' &&
      formerHold.firstSuspect !== undefined &&
      waits(formerHold.firstSuspect) &&
      formerLog.some((row) => formerHold.isHeld(row) && !row.adopted && !isThere(row))
    ) { return false }
    const competitorsOf = (row: Row): Row[] =>
      before.filter(
        (other) => other.ordinal > row.ordinal && !isUnaccepted(other) && !other.partial && !hold.isHeld(other)
      )
    if (
      policy.retentionDays === null &&
      before.some((row) => gone.has(row.id) && isGood(row) && competitorsOf(row).length < policy.maxBackups)
    ) { return false }

    // The number of snapshots is bounded: maxBackups of each kind, the periods, and a few that are always kept
    const free = log.filter((row) => !row.pinned && !row.adopted && !(isGood(row) && hold.isHeld(row)))
    const periods = Object.values(policy.keep).reduce((sum, count) => sum + count, 0)
    if (free.length > 3 * policy.maxBackups + 4 + periods) return false
    if (free.filter(isUnaccepted).length > policy.maxBackups + 2) return false
  }
  return true
}

t.test('for any history, the last good snapshot, the source of the newest restore and a new one stay', async (t) => {
  fc.assert(fc.property(events, policies, isSafe), { numRuns: 2000 })
})

t.test('imports and failed restores while a suspect is pending do not fill the storage', async (t) => {
  const backup = (rows: number): Event => ({
    kind: 'backup',
    counts: { users: rows, items: rows },
    partial: false,
    clock: 0,
    pinned: false
  })
  const besides: Event[] = [
    { kind: 'import', clock: 0 },
    { kind: 'restore', source: 0, tables: undefined, fails: true, clock: 0 }
  ]
  for (const event of besides) {
    const rounds = Array(20).fill([backup(0), event]).flat()
    t.ok(isSafe([backup(1000), ...rounds], { maxBackups: 2, retentionDays: null, keep: {} }), event.kind)
  }
})
