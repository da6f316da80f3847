import { LockTimeout, SchemaNotFound } from '../errors.ts'
import { readSchemas, readServer } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { describeDatabaseError, isLockTimeout, publicDatabaseError } from '../postgres/database-error.ts'
import { qualifiedName, quoteLiteral } from '../postgres/identifiers.ts'
import { lockTimeoutMs } from '../postgres/locks.ts'
import { estimateRows } from '../postgres/catalog/tables.ts'
import { readSequenceStates } from '../postgres/catalog/sequences.ts'
import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import { pinSettings, setLocal, type RoleSettings, withSearchPath } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest, RestorePlan } from '../../types/index.ts'
import { findDisallowed, type PlannedSequence, sequenceWarnings } from './plan-sequences.ts'
import { newColumnWarnings, partitionWarnings, type TableToRestore } from './restore-plan.ts'
import { restoreProblems } from './restore-problems.ts'
import { readScope, type RestoreScope, type RestoreTarget } from './restore-scope.ts'

/** How the caller follows and ends the counting of rows. */
export interface PreviewHooks { onProgress: OnPhaseProgress, signal: AbortSignal }

/** What a restore would do now, from the same plan that it would make. Read-only. */
export async function previewRestore (
  sql: Sql, manifest: Manifest, target: RestoreTarget, { onProgress, signal }: PreviewHooks
): Promise<Omit<RestorePlan, 'id'>> {
  const { schema, excludeTables, logTable } = target
  try {
    return await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
      const server = await readServer(tx)
      await pinSettings(tx, server.versionNumber)
      await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
      if (!(await readSchemas(tx)).includes(schema)) throw new SchemaNotFound(schema)
      const scope = await readScope(tx, manifest, target)
      const problems = await restoreProblems(tx, scope, server, createExclusion(excludeTables, logTable))
      const drift = [...scope.drift, ...problems.map((problem) => ({ table: schema, problem }))]
      return {
        schema,
        tables: await countRows(tx, scope.tables, server.roleSettings, onProgress),
        untouched: scope.untouched,
        drift,
        sequences: scope.sequences.flatMap((planned) => describeChange(planned, schema)),
        warnings: [
          ...partitionWarnings(scope.tables, schema),
          ...newColumnWarnings(scope.tables),
          ...await readSequenceWarnings(tx, scope, manifest, target)
        ],
        ok: drift.length === 0
      }
    }, signal)
  } catch (error) {
    throw isLockTimeout(error) ? new LockTimeout(describeDatabaseError(error)) : publicDatabaseError(error)
  }
}

/** Reads states that a restore does not need, because it does not change these sequences. */
async function readSequenceWarnings (
  tx: Transaction, { recordedSequences }: RestoreScope, manifest: Manifest, target: RestoreTarget
): Promise<string[]> {
  const disallowed = findDisallowed(recordedSequences, manifest, target)
  const states = await readSequenceStates(tx, disallowed.filter(({ readable }) => readable))
  return sequenceWarnings(disallowed, states, manifest, target)
}

/** Omits a sequence that the role may not read; restoreProblems() reports it. */
function describeChange (
  { sequence: { schema, name }, now, state, changes }: PlannedSequence, restored: string
): RestorePlan['sequences'] {
  if (now === null) return []
  const after = changes ? state : now
  const shown = schema === restored ? name : `${schema}.${name}`
  return [{ name: shown, now: now.lastValue, after: after.lastValue }]
}

type Counted = RestorePlan['tables']

/** Estimated rows that are counted by one query: some tenths of a second. */
const rowsPerQuery = 1_000_000

/**
 * Exact counts; 0 where the role can't read the rows, which restoreProblems() reports. Those of different queries are
 * from different moments. Under the role's own search_path, because the planner runs functions of index expressions if
 * they are written in SQL.
 */
async function countRows (
  tx: Transaction, tables: TableToRestore[], settings: RoleSettings, onProgress: OnPhaseProgress
): Promise<Counted> {
  const counted: Counted = []
  if (tables.length === 0) return counted
  const rowsTotal = estimateRows(tables.map(({ table }) => table))
  await withSearchPath(tx, settings, async () => {
    for (const batch of toBatches(tables)) {
      onProgress({
        phase: 'count',
        table: batch[0].table.name,
        tables: tables.length,
        tablesDone: counted.length,
        rows: counted.reduce((sum, { rowsNow }) => sum + rowsNow, 0),
        rowsTotal,
        bytes: 0,
        estimated: true
      })
      counted.push(...await queryCounts(tx, batch))
    }
  })
  return counted
}

type Batch = [TableToRestore, ...TableToRestore[]]

/** A table without an estimate has never been analyzed and is most likely small. */
function toBatches (tables: TableToRestore[]): Batch[] {
  const batches: Batch[] = []
  let rows = 0
  for (const planned of tables) {
    const last = batches.at(-1)
    if (last !== undefined && rows < rowsPerQuery) {
      last.push(planned)
    } else {
      batches.push([planned])
      rows = 0
    }
    rows += estimateRows([planned.table]) ?? 0
  }
  return batches
}

async function queryCounts (tx: Transaction, tables: TableToRestore[]): Promise<Counted> {
  const counts = tables.map(({ table, recorded }, position) => {
    const parts = table.relations
      .filter(({ kind, selectable, hidesRows }) => kind === 'r' && selectable && !hidesRows)
      .map(({ schema, name }) => `(SELECT pg_catalog.count(*) FROM ONLY ${qualifiedName(schema, name)})`)
    return `SELECT ${position} AS place, ${quoteLiteral(recorded.name)}::pg_catalog.text AS name,
      ${['0', ...parts].join(' OPERATOR(pg_catalog.+) ')} AS "rowsNow", ${recorded.rows} AS "rowsAfter"`
  })
  return await tx.query<Counted[number]>(
    `SELECT name, "rowsNow", "rowsAfter" FROM (${counts.join(' UNION ALL ')}) s ORDER BY place`)
}
