import fc from 'fast-check'
import t from 'tap'
import { applyRetention, type RetainedSnapshot } from '../../lib/retention/apply-retention.ts'
import { findHold } from '../../lib/retention/find-hold.ts'
import { findShrunkTables } from '../../lib/retention/find-shrunk-tables.ts'
import { type CountedSnapshot, type GuardedSnapshot, isDoubtful, isFull } from '../../lib/retention/guarded-snapshot.ts'

const limits = { shrink: 0.5, minRows: 100, window: 7, ignoreTables: [] }
const day = 24 * 60 * 60_000

interface Row extends GuardedSnapshot, CountedSnapshot { id: string, insertedAt: string, pinned: boolean }

/** What happens to a schema, one thing after another; each ends with a pruning, by a clock that says what it likes. */
type Event =
  | { kind: 'backup', rows: number, partial: boolean, clock: number, pinned: boolean }
  | { kind: 'import', clock: number }
  | { kind: 'restore', clock: number }
  | { kind: 'accept', clock: number }
  | { kind: 'adopt', rows: number, clock: number }

const clock = fc.integer({ min: -1000, max: 1000 })
const rowCount = fc.constantFrom(0, 150, 1000, 1000, 1000)
const events = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('backup' as const), rows: rowCount, partial: fc.boolean(), clock, pinned: fc.integer({ max: 9, min: 0 }).map((n) => n === 0) }) },
  fc.record({ kind: fc.constant('import' as const), clock }),
  fc.record({ kind: fc.constant('restore' as const), clock }),
  fc.record({ kind: fc.constant('accept' as const), clock }),
  fc.record({ kind: fc.constant('adopt' as const), rows: rowCount, clock })
), { maxLength: 60 })
const policies = fc.record({
  maxBackups: fc.integer({ min: 1, max: 4 }),
  retentionDays: fc.option(fc.integer({ min: 1, max: 60 })),
  keep: fc.constantFrom({}, { daily: 2 }, { hourly: 1, yearly: 2 })
})

function isSafe (happened: Event[], policy: { maxBackups: number, retentionDays: number | null, keep: object }): boolean {
  let log: Row[] = []
  let ordinal = 0
  let lowest = 0
  for (const event of happened) {
    const time = new Date(event.clock * day).toISOString()
    const base = { partial: false, adopted: false, restored: false, suspect: null, accepted: false, rowCounts: null, restoredRows: null, insertedAt: time, pinned: false }
    let made: Row | undefined
    if (event.kind === 'accept') {
      const { newestSuspect } = findHold(log)
      log = log.map((row) => ({ ...row, accepted: row.accepted || row === newestSuspect, adopted: row.adopted && newestSuspect === undefined }))
    } else if (event.kind === 'adopt') {
      lowest--
      log.push({ ...base, id: `a${-lowest}`, ordinal: lowest, trigger: 'scheduled', adopted: true, rowCounts: { t: event.rows } })
    } else {
      const trigger = event.kind === 'backup' ? 'scheduled' : event.kind === 'import' ? 'import' : 'pre_restore'
      made = { ...base, id: `s${++ordinal}`, ordinal, trigger }
      if (event.kind === 'backup') {
        const suspect = event.partial ? null : findShrunkTables(log, { t: event.rows }, limits)
        made = { ...made, rowCounts: { t: event.rows }, partial: event.partial, suspect, pinned: event.pinned }
      }
      if (event.kind === 'restore') {
        made = { ...made, restored: true, restoredRows: { t: 1000 } }
        log = log.map((row) => ({ ...row, adopted: false }))
      }
      log.push(made)
    }
    const before = log
    const hold = findHold(before)
    const retained = before.map((row): RetainedSnapshot => ({
      ...row, schema: 'public', status: 'completed', available: true, inUse: false, justMade: row === made, doubtful: isDoubtful(row), held: hold.isHeld(row)
    }))
    const { remove } = applyRetention(retained, { ...policy, now: new Date(event.clock * day) })
    const gone = new Set(remove.map(({ id }) => id))
    log = before.filter(({ id }) => !gone.has(id))

    if (made !== undefined && gone.has(made.id)) return false
    if (before.some((row) => gone.has(row.id) && (row.pinned || row.adopted))) return false
    const newest = (of: Row[], is: (row: Row) => boolean): Row | undefined => of.filter(is).sort((a, b) => b.ordinal - a.ordinal)[0]
    if (newest(before, ({ trigger }) => trigger === 'pre_restore') !== newest(log, ({ trigger }) => trigger === 'pre_restore')) return false
    // While a suspect waits, the last good one is there
    const isGood = (row: Row): boolean => isFull(row) && !isDoubtful(row)
    if (hold.newestSuspect !== undefined && newest(before, isGood) !== newest(log, isGood)) return false
    const hasWholeOnes = before.some((row) => !row.partial && row.trigger !== 'pre_restore')
    if (hasWholeOnes && !log.some((row) => !row.partial && row.trigger !== 'pre_restore')) return false
    // Storage is bounded: held ones, as many again, partial ones, and a few that stay for reasons of their own
    const free = log.filter((row) => !row.pinned && !row.adopted)
    if (free.length > 3 * policy.maxBackups + 8) return false
  }
  return true
}

t.test('whatever happens, the last good snapshot stays, and so does what was made just now', async (t) => {
  fc.assert(fc.property(events, policies, isSafe), { numRuns: 1000 })
})
