import type { BackupTrigger, KeepRules } from '../../types/index.ts'
import { groupBy } from './group-by.ts'
import { isFull, newestFirst } from './guarded-snapshot.ts'
import { keepPeriods } from './keep-periods.ts'

/** The fields of a finished row of the log that retention uses. */
export interface RetainedSnapshot {
  id: string
  schema: string
  /** The order of insertion, which decides which snapshot is newer. */
  ordinal: number
  /** Retention does not decide about running rows. */
  status: 'completed' | 'restored' | 'failed'
  trigger: BackupTrigger
  /** When the row was inserted, by the clock of the database; for an adopted snapshot, when it was taken. ISO 8601. */
  insertedAt: string
  pinned: boolean
  /** Whether the storage contains its file. */
  available: boolean
  /** It is the source or the pre_restore snapshot of a running restore, or its file is being read. */
  inUse: boolean
  /** The run that prunes has just created it. */
  justMade: boolean
  /** The caller left tables out. */
  partial: boolean
  /** The last check of its file found it damaged. */
  damaged: boolean
  /** It is suspect and not accepted. */
  unaccepted: boolean
  /** See findHold(). */
  held: boolean
  /** The pre_restore snapshot of its newest restore into its own schema. */
  preRestoreId: string | null
}

export interface RetentionPolicy {
  /** Snapshots to keep per schema, and as many failed runs. */
  maxBackups: number
  /** Days to keep scheduled snapshots; null unless a scheduled run prunes. */
  retentionDays: number | null
  /** Snapshots to keep in addition. */
  keep: KeepRules
  /** The time of the database's clock. */
  now: Date
}

/** Contains each row once. Reasons are texts for people. */
export interface RetentionDecision {
  keep: Array<{ id: string, reasons: string[] }>
  remove: Array<{ id: string, reason: string }>
}

const heldReason = 'held until a suspect or an adopted snapshot is accepted, or the lost tables are restored'
const dayMs = 24 * 60 * 60 * 1000

/**
 * Decides which rows of the log to keep and which to remove, with reasons. Pure and idempotent: applied to the rows
 * that it keeps, it keeps all of them. Only the age of scheduled snapshots depends on the time.
 *
 * Of each schema, keeps the newest `maxBackups` snapshots, and removes scheduled ones that are more than
 * `retentionDays` days old. Held snapshots stay and do not count. Suspect, partial and damaged snapshots are counted
 * separately.
 *
 * Never removes the newest snapshot of a schema, its newest one that is not known to be damaged, and of those that are
 * not: the newest one that is neither partial nor pre_restore, the newest full one that is not suspect, and the newest
 * one of a period of `keep`. Neither the newest pre_restore one and the source of that restore, a pinned row, one in
 * use, and one that was just created.
 *
 * Failed runs and rows without a file do not count as snapshots: failed runs must not cause good snapshots to be
 * removed. The newest `maxBackups` of each stay as history.
 */
export function applyRetention (snapshots: RetainedSnapshot[], policy: RetentionPolicy): RetentionDecision {
  const decision: RetentionDecision = { keep: [], remove: [] }
  for (const [schema, rows] of groupBy(snapshots, ({ schema }) => schema)) {
    const sorted = newestFirst(rows)
    const completed = sorted.filter(({ status }) => status !== 'failed')
    decideSnapshots(decision, completed.filter(({ available }) => available), schema, policy)
    const failed = sorted.filter(({ status }) => status === 'failed')
    decideHistory(decision, failed, `failed runs of schema ${schema}`, policy)
    const withoutFile = completed.filter(({ available }) => !available)
    decideHistory(decision, withoutFile, `snapshots without a file of schema ${schema}`, policy)
  }
  return decision
}

/** @param snapshots newest first */
function decideSnapshots (
  decision: RetentionDecision,
  snapshots: RetainedSnapshot[],
  schema: string,
  policy: RetentionPolicy
): void {
  const reasons = reasonsToKeep(snapshots, schema, policy)
  const counts = { damaged: 0, suspect: 0, partial: 0, good: 0 }
  for (const snapshot of snapshots) {
    const kind = kindOf(snapshot)
    const what = kind === 'good' ? `of schema ${schema}` : `${kind} ones of schema ${schema}`
    const rank = snapshot.held ? -1 : counts[kind]++
    const removal = reasonsToRemove(snapshot, rank, what, policy)
    const among = removal.length === 0 && !snapshot.held ? [`among the newest ${policy.maxBackups} ${what}`] : []
    decide(decision, snapshot, [...reasons.get(snapshot) ?? [], ...among], removal)
  }
}

/** Each kind is counted separately, so that damaged and suspect snapshots never replace the good ones before them. */
const kindOf = ({ damaged, unaccepted, partial }: RetainedSnapshot): 'damaged' | 'suspect' | 'partial' | 'good' =>
  damaged ? 'damaged' : unaccepted ? 'suspect' : partial ? 'partial' : 'good'

function reasonsToKeep (
  snapshots: RetainedSnapshot[],
  schema: string,
  { keep }: RetentionPolicy
): Map<RetainedSnapshot, string[]> {
  const reasons = new Map<RetainedSnapshot, string[]>()
  const add = (snapshot: RetainedSnapshot | undefined, reason: string): void => {
    if (snapshot !== undefined) reasons.set(snapshot, [...reasons.get(snapshot) ?? [], reason])
  }
  const [newest] = snapshots
  const intact = snapshots.filter(({ damaged }) => !damaged)
  const [newestIntact] = intact
  const complete = intact.find(isComplete)
  const good = intact.find((snapshot) => isFull(snapshot) && !snapshot.unaccepted)
  const preRestore = snapshots.find(({ trigger }) => trigger === 'pre_restore')
  add(newest, `the newest snapshot of schema ${schema}`)
  if (newestIntact !== newest) add(newestIntact, `the newest snapshot of schema ${schema} that is not damaged`)
  if (complete !== newestIntact) {
    add(complete, `the newest snapshot of schema ${schema} that is not pre_restore and not partial`)
  }
  add(good, `the newest full snapshot of schema ${schema} that is not suspect`)
  if (preRestore !== newest) add(preRestore, `the newest pre_restore snapshot of schema ${schema}`)
  if (preRestore !== undefined) {
    add(snapshots.find(({ preRestoreId }) => preRestoreId === preRestore.id), 'the source of the newest restore')
  }
  for (const [snapshot, periods] of newestOfPeriods(intact, keep)) {
    for (const period of periods) add(snapshot, period)
  }
  for (const snapshot of snapshots) {
    if (snapshot.held) add(snapshot, heldReason)
    if (snapshot.justMade) add(snapshot, 'just created')
  }
  return reasons
}

/** The snapshots that `keep` names, each with its reasons. */
function newestOfPeriods (snapshots: RetainedSnapshot[], keep: KeepRules): Array<[RetainedSnapshot, string[]]> {
  const candidates = snapshots
    .filter((snapshot) => isComplete(snapshot) && !snapshot.unaccepted)
    .map((snapshot) => ({ snapshot, time: snapshot.insertedAt }))
  return [...keepPeriods(candidates, keep)].map(([{ snapshot }, periods]) => [snapshot, periods])
}

/** A pre_restore snapshot may contain only some of the tables. */
const isComplete = ({ trigger, partial }: RetainedSnapshot): boolean => trigger !== 'pre_restore' && !partial

/** @param rank among the snapshots of its kind, 0 for the newest; -1 for a held one, which does not count */
function reasonsToRemove (
  { trigger, insertedAt }: RetainedSnapshot,
  rank: number,
  what: string,
  { maxBackups, retentionDays, now }: RetentionPolicy
): string[] {
  const reasons: string[] = []
  const ageMs = now.getTime() - Date.parse(insertedAt)
  if (rank >= maxBackups) reasons.push(`beyond the newest ${maxBackups} ${what}`)
  if (retentionDays !== null && trigger === 'scheduled' && ageMs > retentionDays * dayMs) {
    reasons.push(`scheduled and older than ${retentionDays} days`)
  }
  return reasons
}

/** @param rows newest first */
function decideHistory (
  decision: RetentionDecision,
  rows: RetainedSnapshot[],
  what: string,
  { maxBackups }: RetentionPolicy
): void {
  for (const [rank, row] of rows.entries()) {
    if (rank < maxBackups) decide(decision, row, [`among the newest ${maxBackups} ${what}`], [])
    // A held row stays: its file may exist, although the storage did not list it
    else decide(decision, row, row.held ? [heldReason] : [], [`beyond the newest ${maxBackups} ${what}`])
  }
}

function decide (
  decision: RetentionDecision,
  { id, pinned, inUse }: RetainedSnapshot,
  toKeep: string[],
  toRemove: string[]
): void {
  const reasons = [...toKeep, ...pinned ? ['pinned'] : [], ...inUse ? ['in use'] : []]
  if (toRemove.length > 0 && reasons.length === 0) decision.remove.push({ id, reason: toRemove.join('; ') })
  else decision.keep.push({ id, reasons })
}
