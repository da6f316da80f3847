import type { LoggedBackup } from '../log/log-row.ts'
import { findHold, type Hold } from '../retention/find-hold.ts'
import { findShrunkTables } from '../retention/find-shrunk-tables.ts'
import { groupBy } from '../retention/group-by.ts'
import type { GuardedSnapshot } from '../retention/guarded-snapshot.ts'
import type { Manifest, SuspectTable } from '../../types/index.ts'
import type { Context } from '../runs/context.ts'

export const toGuarded = ({ backup, ...logged }: LoggedBackup): GuardedSnapshot => {
  const { trigger, partial, suspect, accepted } = backup
  return { ...logged, trigger, partial, suspect, accepted }
}

/** The number of rows of each table; null for a table that exists and was left out. */
export function countRows ({ tables }: Manifest, excludedTables: string[]): Record<string, number | null> {
  const excluded = excludedTables.map((name) => [name, null])
  return Object.fromEntries([...excluded, ...tables.map(({ name, rows }) => [name, rows])])
}

/**
 * The tables that lost rows in a new full snapshot, compared with the snapshots in the log. Null when no table did, or
 * without a guard.
 */
export async function findSuspectTables (
  { log, options }: Pick<Context, 'log' | 'options'>, schema: string, rowCounts: Record<string, number | null>
): Promise<SuspectTable[] | null> {
  if (options.guard === undefined) return null
  return findShrunkTables(await log.counted(schema, options.guard.window), rowCounts, options.guard)
}

const noHold: Hold = { newestSuspect: undefined, firstSuspect: undefined, isHeld: () => false }

/** The hold on the snapshots of one schema. Without a guard, none is held. */
export const holdOf = ({ options }: Pick<Context, 'options'>, snapshots: LoggedBackup[]): Hold =>
  options.guard === undefined ? noHold : findHold(snapshots.map(toGuarded))

/** The hold on the snapshots of each of these schemas; takes one query. */
export async function findHolds (
  context: Pick<Context, 'log' | 'options'>, schemas: string[]
): Promise<(schema: string) => Hold> {
  if (context.options.guard === undefined || schemas.length === 0) return () => noHold
  const snapshots = bySchema(await context.log.snapshotsForHolds([...new Set(schemas)]))
  const holds = new Map([...snapshots].map(([schema, logged]) => [schema, holdOf(context, logged)]))
  return (schema) => holds.get(schema) ?? noHold
}

/** The newest suspect snapshot of a schema that is pending: neither accepted nor restored. */
export interface PendingSuspect {
  id: string
  schema: string
  suspect: SuspectTable[]
  /** When the first pending suspect snapshot of the schema began. */
  since: string
}

/** At most one of each schema. */
export async function findPendingSuspects (
  context: Pick<Context, 'log' | 'options'>
): Promise<PendingSuspect[]> {
  if (context.options.guard === undefined) return []
  return [...bySchema(await context.log.snapshotsForHolds(null)).values()].flatMap((snapshots) => {
    const { newestSuspect, firstSuspect } = holdOf(context, snapshots)
    const since = snapshots.find(({ ordinal }) => ordinal === firstSuspect?.ordinal)?.backup.startedAt
    if (since === undefined) return []
    return snapshots.flatMap(({ ordinal, backup: { id, schema, suspect } }) =>
      ordinal === newestSuspect?.ordinal && suspect !== null ? [{ id, schema, suspect, since }] : [])
  })
}

const bySchema = (snapshots: LoggedBackup[]): Map<string, LoggedBackup[]> =>
  groupBy(snapshots, ({ backup }) => backup.schema)
