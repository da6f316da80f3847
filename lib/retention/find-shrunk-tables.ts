import type { GuardOptions, SuspectTable } from '../../types/index.ts'
import { type CountedSnapshot, isDoubtful, isFull, newestFirst } from './guarded-snapshot.ts'

export type GuardLimits = Required<GuardOptions>

type RowCounts = Record<string, number | null>

/** What the database held at one time: after a snapshot, or after a restore, which starts the comparison anew for the tables that it replaced. */
interface State { counts: RowCounts, isRestore: boolean }

/**
 * The tables that a new full snapshot has lost, or that shrank by more than the limits allow, and `table: null` for all tables together. Null when there
 * are none. The baseline is the smallest number of rows in the last `window` full snapshots that are not suspect, so a table that is emptied now and
 * then raises no alarm. Pure.
 * @param earlier snapshots of the same schema that were made before, in any order
 * @param counts of the new one; null for a table that exists and was left out
 */
export function findShrunkTables (earlier: CountedSnapshot[], counts: RowCounts, limits: GuardLimits): SuspectTable[] | null {
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
    if (rowsBefore >= limits.minRows && (isGone || hasShrunk(rowsBefore, rows, limits))) found.push({ table, rowsBefore, rows })
  }
  const isCounted = (table: string): boolean => !ignored.has(table) && countOf(counts, table) !== null
  const rowsBefore = totalBaseline(states, counts, isCounted)
  const rows = totalOf(counts, isCounted)
  if (rowsBefore >= limits.minRows && hasShrunk(rowsBefore, rows, limits)) found.push({ table: null, rowsBefore, rows })
  return found.length === 0 ? null : found
}

const hasShrunk = (before: number, now: number, { shrink }: GuardLimits): boolean => before - now > shrink * before

/** A table may be called `__proto__`. */
const countOf = (counts: RowCounts, table: string): number | null | undefined => Object.hasOwn(counts, table) ? counts[table] : undefined

/** Newest first; of snapshots the last `window`. */
function statesOf (earlier: CountedSnapshot[], window: number): State[] {
  const states: State[] = []
  let snapshots = 0
  for (const snapshot of newestFirst(earlier)) {
    if (snapshot.restoredRows !== null) states.push({ counts: snapshot.restoredRows, isRestore: true })
    if (!isFull(snapshot) || isDoubtful(snapshot) || snapshot.rowCounts === null) continue
    states.push({ counts: snapshot.rowCounts, isRestore: false })
    if (++snapshots === window) break
  }
  return states
}

/** A snapshot that lacks the table counts as one with no rows, when an older one has it: the table comes and goes. 0 without any. */
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

/** What a restore of some tables only left of the others is not known, so there the comparison of the totals ends. */
function totalBaseline (states: State[], now: RowCounts, isCounted: (table: string) => boolean): number {
  const totals: number[] = []
  for (const { counts, isRestore } of states) {
    const isWhole = Object.keys(now).every((table) => !isCounted(table) || Object.hasOwn(counts, table))
    if (!isRestore || isWhole) totals.push(totalOf(counts, isCounted))
    if (isRestore) break
  }
  return totals.length === 0 ? 0 : Math.min(...totals)
}
