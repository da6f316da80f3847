import type { GuardOptions, SuspectTable } from '../../types/index.ts'
import { type CountedSnapshot, isUnaccepted, isFull, newestFirst } from './guarded-snapshot.ts'

export type GuardLimits = { [Name in keyof GuardOptions]-?: NonNullable<GuardOptions[Name]> }

type RowCounts = Record<string, number | null>

/**
 * The row counts of the database after a snapshot or after a restore. A restore restarts the comparison for the tables
 * that it replaced.
 */
interface State { counts: RowCounts, isRestore: boolean }

/**
 * Finds the tables that a new full snapshot lacks or in which it has fewer rows than the limits allow, with `table:
 * null` for the total of all tables. Returns null when there are none. The baseline is the smallest number of rows in
 * the last `window` full snapshots that are not suspect, so that a table that is regularly emptied is not reported.
 * Pure.
 * @param earlier earlier snapshots of the same schema, in any order
 * @param counts row counts of the new snapshot; null for a table that exists and was left out
 */
export function findShrunkTables (
  earlier: CountedSnapshot[],
  counts: RowCounts,
  limits: GuardLimits
): SuspectTable[] | null {
  const states = statesOf(earlier, limits.window)
  const ignored = new Set(limits.ignoreTables)
  const names = new Set(states.flatMap((state) => Object.keys(state.counts)))
  const found: SuspectTable[] = []
  for (const table of [...names].sort()) {
    const count = countOf(counts, table)
    if (ignored.has(table) || count === null) continue
    const rowsBefore = baselineOf(states, table)
    const rows = count ?? 0
    const isGone = count === undefined
    if (rowsBefore >= limits.minRows && (isGone || hasShrunk(rowsBefore, rows, limits))) {
      found.push({ table, rowsBefore, rows })
    }
  }
  const isCounted = (table: string): boolean => !ignored.has(table) && countOf(counts, table) !== null
  const rowsBefore = totalBaseline(states, counts, isCounted)
  const rows = totalOf(counts, isCounted)
  if (rowsBefore >= limits.minRows && hasShrunk(rowsBefore, rows, limits)) found.push({ table: null, rowsBefore, rows })
  return found.length === 0 ? null : found
}

const hasShrunk = (before: number, now: number, { shrink }: GuardLimits): boolean => before - now > shrink * before

/** The name of a table may be `__proto__`. */
const countOf = (counts: RowCounts, table: string): number | null | undefined =>
  Object.hasOwn(counts, table) ? counts[table] : undefined

/** Newest first. Goes back as far as the last `window` snapshots. */
function statesOf (earlier: CountedSnapshot[], window: number): State[] {
  const states: State[] = []
  let snapshots = 0
  for (const snapshot of newestFirst(earlier)) {
    if (snapshot.restoredRows !== null) states.push({ counts: snapshot.restoredRows, isRestore: true })
    if (!isFull(snapshot) || isUnaccepted(snapshot) || snapshot.rowCounts === null) continue
    states.push({ counts: snapshot.rowCounts, isRestore: false })
    if (++snapshots === window) break
  }
  return states
}

/**
 * A snapshot without the table counts as 0 rows when an older one has it: the table is not permanent. Returns 0 without
 * any snapshot.
 */
function baselineOf (states: State[], table: string): number {
  let smallest = Number.POSITIVE_INFINITY
  let isAbsent = false
  for (const { counts, isRestore } of states) {
    const rows = countOf(counts, table)
    if (rows === undefined) isAbsent ||= !isRestore
    else if (rows !== null) smallest = isAbsent ? 0 : Math.min(smallest, rows)
    if (isRestore && rows !== undefined) break
  }
  return Number.isFinite(smallest) ? smallest : 0
}

const totalOf = (counts: RowCounts, isCounted: (table: string) => boolean): number =>
  Object.entries(counts).reduce((sum, [table, rows]) => sum + (isCounted(table) ? rows ?? 0 : 0), 0)

/** Totals are compared back to the newest restore. After a restore of only some tables, the total is not known. */
function totalBaseline (states: State[], now: RowCounts, isCounted: (table: string) => boolean): number {
  const totals: number[] = []
  for (const { counts, isRestore } of states) {
    const isComplete = Object.keys(now).every((table) => !isCounted(table) || Object.hasOwn(counts, table))
    if (!isRestore || isComplete) totals.push(totalOf(counts, isCounted))
    if (isRestore) break
  }
  return totals.length === 0 ? 0 : Math.min(...totals)
}
