import type { BackupTrigger, KeepRules } from '../../types/index.ts'
import { groupBy } from './group-by.ts'
import { isFull, newestFirst } from './guarded-snapshot.ts'
import { keepPeriods } from './keep-periods.ts'

/** A finished row of the log, as far as retention looks at it. */
export interface RetainedSnapshot {
  id: string
  schema: string
  /** Order of insertion: which snapshot is the newer one. */
  ordinal: number
  /** Running rows have no place here: nothing is decided about them. */
  status: 'completed' | 'restored' | 'failed'
  trigger: BackupTrigger
  /** When the database got the row, by its own clock, or when an adopted snapshot was made. ISO 8601. */
  insertedAt: string
  pinned: boolean
  /** Whether the storage has its file. */
  available: boolean
  /** The source or the pre_restore snapshot of a restore that runs, or a file that is being read. */
  inUse: boolean
  /** The run that prunes has just made it. */
  justMade: boolean
  /** The call itself left tables out. */
  partial: boolean
  /** It lost rows, and nobody has accepted that. */
  doubtful: boolean
  /** See findHold(). */
  held: boolean
  /** The pre_restore snapshot of its newest restore. */
  preRestoreId: string | null
}

export interface RetentionPolicy {
  /** Snapshots kept per schema, and as many failed runs. */
  maxBackups: number
  /** Days that scheduled snapshots are kept; null when no scheduled run asks. */
  retentionDays: number | null
  /** Snapshots that stay besides. */
  keep: KeepRules
  /** By the clock of the database. */
  now: Date
}

/** All rows, once each. Reasons are sentences for a human; a row that stays may have several. */
export interface RetentionDecision {
  keep: Array<{ id: string, reasons: string[] }>
  remove: Array<{ id: string, reason: string }>
}

const heldReason = 'held until a suspect or an adopted snapshot is accepted, or the loss is restored'
const dayMs = 24 * 60 * 60 * 1000

/**
 * Which rows of the log stay and which go, and why. Pure and idempotent: applied to what it keeps, it keeps all of it. Only the age of
 * scheduled snapshots depends on a clock.
 *
 * Per schema the newest `maxBackups` snapshots stay, and scheduled ones go when they are more than `retentionDays` days old. Held snapshots
 * stay and do not count; suspect ones count among themselves, and so do partial ones. Never removed: the newest snapshot of a schema, its newest
 * full one, the newest full one that is not suspect, its newest pre_restore one and the source of that restore, the newest of a period that
 * `keep` names, a pinned row, one in use, one that was made just now. Failed runs and rows without a file are no snapshots (fifty failed nights
 * must not evict fifty good ones); the newest `maxBackups` of either stay as history.
 */
export function applyRetention (snapshots: RetainedSnapshot[], policy: RetentionPolicy): RetentionDecision {
  const decision: RetentionDecision = { keep: [], remove: [] }
  for (const [schema, rows] of groupBy(snapshots, ({ schema }) => schema)) {
    const sorted = newestFirst(rows)
    const completed = sorted.filter(({ status }) => status !== 'failed')
    decideSnapshots(decision, completed.filter(({ available }) => available), schema, policy)
    decideHistory(decision, sorted.filter(({ status }) => status === 'failed'), `failed runs of schema ${schema}`, policy)
    decideHistory(decision, completed.filter(({ available }) => !available), `snapshots without a file of schema ${schema}`, policy)
  }
  return decision
}

/** @param good newest first */
function decideSnapshots (decision: RetentionDecision, good: RetainedSnapshot[], schema: string, policy: RetentionPolicy): void {
  const reasons = reasonsToKeep(good, schema, policy)
  const places = { suspect: 0, partial: 0, good: 0 }
  for (const snapshot of good) {
    const kind = kindOf(snapshot)
    const what = kind === 'good' ? `of schema ${schema}` : `${kind} ones of schema ${schema}`
    const place = snapshot.held ? -1 : places[kind]++
    const faults = faultsOf(snapshot, place, what, policy)
    const among = faults.length === 0 && !snapshot.held ? [`among the newest ${policy.maxBackups} ${what}`] : []
    decide(decision, snapshot, [...reasons.get(snapshot) ?? [], ...among], faults)
  }
}

/** Snapshots compete with those of their kind only. A loss that nobody has accepted never evicts what was there before it. */
const kindOf = ({ doubtful, partial }: RetainedSnapshot): 'suspect' | 'partial' | 'good' => doubtful ? 'suspect' : partial ? 'partial' : 'good'

function reasonsToKeep (good: RetainedSnapshot[], schema: string, { keep }: RetentionPolicy): Map<RetainedSnapshot, string[]> {
  const reasons = new Map<RetainedSnapshot, string[]>()
  const add = (snapshot: RetainedSnapshot | undefined, reason: string): void => {
    if (snapshot !== undefined) reasons.set(snapshot, [...reasons.get(snapshot) ?? [], reason])
  }
  const [newest] = good
  const whole = good.find(isWhole)
  const preRestore = good.find(({ trigger }) => trigger === 'pre_restore')
  add(newest, `the newest snapshot of schema ${schema}`)
  if (whole !== newest) add(whole, `the newest snapshot of schema ${schema} that is no pre_restore and not partial`)
  add(good.find((snapshot) => isFull(snapshot) && !snapshot.doubtful), `the newest full snapshot of schema ${schema} that is not suspect`)
  if (preRestore !== newest) add(preRestore, `the newest pre_restore snapshot of schema ${schema}`)
  if (preRestore !== undefined) add(good.find(({ preRestoreId }) => preRestoreId === preRestore.id), 'the source of the newest restore')
  const periodic = good.filter((snapshot) => isWhole(snapshot) && !snapshot.doubtful).map((snapshot) => ({ snapshot, time: snapshot.insertedAt }))
  for (const [{ snapshot }, periods] of keepPeriods(periodic, keep)) for (const period of periods) add(snapshot, period)
  for (const snapshot of good) {
    if (snapshot.held) add(snapshot, heldReason)
    if (snapshot.justMade) add(snapshot, 'made just now')
  }
  return reasons
}

/** A pre_restore snapshot may hold a few tables only. */
const isWhole = ({ trigger, partial }: RetainedSnapshot): boolean => trigger !== 'pre_restore' && !partial

/** @param place among those it competes with, the newest being 0; -1 for one that competes with none */
function faultsOf ({ trigger, insertedAt }: RetainedSnapshot, place: number, what: string, { maxBackups, retentionDays, now }: RetentionPolicy): string[] {
  const faults: string[] = []
  if (place >= maxBackups) faults.push(`beyond the newest ${maxBackups} ${what}`)
  if (retentionDays !== null && trigger === 'scheduled' && now.getTime() - Date.parse(insertedAt) > retentionDays * dayMs) {
    faults.push(`scheduled and older than ${retentionDays} days`)
  }
  return faults
}

/** @param rows newest first */
function decideHistory (decision: RetentionDecision, rows: RetainedSnapshot[], what: string, { maxBackups }: RetentionPolicy): void {
  for (const [place, row] of rows.entries()) {
    if (place < maxBackups) decide(decision, row, [`among the newest ${maxBackups} ${what}`], [])
    // The storage may not have told of a file that is there
    else decide(decision, row, row.held ? [heldReason] : [], [`beyond the newest ${maxBackups} ${what}`])
  }
}

function decide (decision: RetentionDecision, snapshot: RetainedSnapshot, reasons: string[], faults: string[]): void {
  const all = [...reasons, ...snapshot.pinned ? ['pinned'] : [], ...snapshot.inUse ? ['in use'] : []]
  if (faults.length > 0 && all.length === 0) decision.remove.push({ id: snapshot.id, reason: faults.join('; ') })
  else decision.keep.push({ id: snapshot.id, reasons: all })
}
