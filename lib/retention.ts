import type { BackupTrigger } from '../types/index.ts'

/** A finished row of the log, as far as retention looks at it. */
export interface RetainedSnapshot {
  id: string
  schema: string
  /** Running rows have no place here: nothing is decided about them. */
  status: 'completed' | 'restored' | 'failed'
  trigger: BackupTrigger
  /** ISO 8601. */
  startedAt: string
  pinned: boolean
  /** Whether the storage has its file. */
  available: boolean
  /** The source or the pre_restore snapshot of a restore that runs, or a file that is being read. */
  inUse: boolean
}

export interface RetentionPolicy {
  /** Snapshots kept per schema, and as many failed runs. */
  maxBackups: number
  /** Days that scheduled snapshots are kept; null when no scheduled run asks. */
  retentionDays: number | null
  now: Date
}

/** All rows, once each. Reasons are sentences for a human; a row that stays may have several. */
export interface RetentionDecision {
  keep: Array<{ id: string, reasons: string[] }>
  remove: Array<{ id: string, reason: string }>
}

const dayMs = 24 * 60 * 60 * 1000

/**
 * Which rows of the log stay and which go, and why. Pure and idempotent: applied to what it keeps, it keeps all of it.
 *
 * Per schema the newest `maxBackups` snapshots stay, and scheduled ones go when they started more than `retentionDays` days ago. Never
 * removed: the newest snapshot of a schema, the newest one that is no pre_restore (which may hold a few tables only), a pinned row, one in
 * use. Failed runs and rows without a file are no snapshots (fifty failed nights must not evict fifty good ones); the newest `maxBackups`
 * of either stay as history. (DESIGN, 7.)
 */
export function applyRetention (snapshots: RetainedSnapshot[], policy: RetentionPolicy): RetentionDecision {
  const decision: RetentionDecision = { keep: [], remove: [] }
  const decide = (snapshot: RetainedSnapshot, merits: string[], faults: string[]): void => {
    const shields = [...merits, ...snapshot.pinned ? ['pinned'] : [], ...snapshot.inUse ? ['in use'] : []]
    if (faults.length > 0 && shields.length === 0) decision.remove.push({ id: snapshot.id, reason: faults.join('; ') })
    else decision.keep.push({ id: snapshot.id, reasons: shields })
  }

  for (const [schema, rows] of bySchema(snapshots)) {
    const newestFirst = rows.toSorted(compareNewestFirst)
    const completed = newestFirst.filter(({ status }) => status !== 'failed')
    const good = completed.filter(({ available }) => available)
    const newestOwn = good.find(({ trigger }) => trigger !== 'pre_restore')

    for (const [index, snapshot] of good.entries()) {
      const faults = faultsOf(snapshot, index, policy)
      const merits = [
        ...index === 0 ? [`the newest snapshot of schema ${schema}`] : [],
        ...index > 0 && snapshot === newestOwn ? [`the newest snapshot of schema ${schema} that is no pre_restore`] : [],
        ...faults.length === 0 ? [`among the newest ${policy.maxBackups} of schema ${schema}`] : []
      ]
      decide(snapshot, merits, faults)
    }
    const histories = { 'failed runs': newestFirst.filter(({ status }) => status === 'failed'), 'snapshots without a file': completed.filter(({ available }) => !available) }
    for (const [what, history] of Object.entries(histories)) {
      for (const [index, row] of history.entries()) {
        if (index < policy.maxBackups) decide(row, [`among the newest ${policy.maxBackups} ${what} of schema ${schema}`], [])
        else decide(row, [], [`beyond the newest ${policy.maxBackups} ${what} of schema ${schema}`])
      }
    }
  }
  return decision
}

/** @param index among the snapshots of its schema, the newest being 0 */
function faultsOf ({ schema, trigger, startedAt }: RetainedSnapshot, index: number, { maxBackups, retentionDays, now }: RetentionPolicy): string[] {
  const faults: string[] = []
  if (index >= maxBackups) faults.push(`beyond the newest ${maxBackups} of schema ${schema}`)
  if (retentionDays !== null && trigger === 'scheduled' && now.getTime() - Date.parse(startedAt) > retentionDays * dayMs) {
    faults.push(`scheduled and older than ${retentionDays} days`)
  }
  return faults
}

function bySchema (snapshots: RetainedSnapshot[]): Map<string, RetainedSnapshot[]> {
  const schemas = new Map<string, RetainedSnapshot[]>()
  for (const snapshot of snapshots) {
    const rows = schemas.get(snapshot.schema)
    if (rows === undefined) schemas.set(snapshot.schema, [snapshot])
    else rows.push(snapshot)
  }
  return schemas
}

/** Two rows of the same instant are told apart by id, so that every replica decides alike. */
function compareNewestFirst (a: RetainedSnapshot, b: RetainedSnapshot): number {
  return Date.parse(b.startedAt) - Date.parse(a.startedAt) || (a.id < b.id ? 1 : -1)
}
