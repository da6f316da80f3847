import { LockTimeout, SchemaNotFound } from '../errors.ts'
import { readSchemas, readServer } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { describeDatabaseError, isLockTimeout, publicDatabaseError } from '../postgres/database-error.ts'
import { qualifiedName, quoteLiteral } from '../postgres/identifiers.ts'
import { lockTimeoutMs } from '../postgres/locks.ts'
import { readSequenceStates } from '../postgres/catalog/sequences.ts'
import { pinSettings, setLocal, type RoleSettings, withSearchPath } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest, RestorePlan } from '../../types/index.ts'
import { findBarred, type PlannedSequence, sequenceWarnings } from './plan-sequences.ts'
import { newColumnWarnings, partitionWarnings, type TableToRestore } from './restore-plan.ts'
import { restoreProblems } from './restore-problems.ts'
import { readScope, type RestoreScope, type RestoreTarget } from './restore-scope.ts'

/** What a restore would do at this moment: the same plan that it would make. Reads, and changes nothing. */
export async function previewRestore (sql: Sql, manifest: Manifest, target: RestoreTarget): Promise<Omit<RestorePlan, 'id'>> {
  try {
    return await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
      const server = await readServer(tx)
      await pinSettings(tx, server.versionNumber)
      await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
      if (!(await readSchemas(tx)).includes(target.schema)) throw new SchemaNotFound(target.schema)
      const scope = await readScope(tx, manifest, target)
      const problems = await restoreProblems(tx, scope, server, createExclusion(target.excludeTables, target.logTable))
      const drift = [...scope.drift, ...problems.map((problem) => ({ table: target.schema, problem }))]
      return {
        schema: target.schema,
        tables: await countRows(tx, scope.tables, server.roleSettings),
        untouched: scope.untouched,
        drift,
        sequences: scope.sequences.flatMap((planned) => describeChange(planned, target.schema)),
        warnings: [...partitionWarnings(scope.tables, target.schema), ...newColumnWarnings(scope.tables), ...await readSequenceWarnings(tx, scope, manifest, target)],
        ok: drift.length === 0
      }
    })
  } catch (error) {
    throw isLockTimeout(error) ? new LockTimeout(describeDatabaseError(error)) : publicDatabaseError(error)
  }
}

/** A restore has no need of these states: it leaves such sequences alone. */
async function readSequenceWarnings (tx: Transaction, { recordedSequences }: RestoreScope, manifest: Manifest, target: RestoreTarget): Promise<string[]> {
  const barred = findBarred(recordedSequences, manifest, target)
  return sequenceWarnings(barred, await readSequenceStates(tx, barred.filter(({ readable }) => readable)), manifest, target)
}

/** Without one that may not be read, which is among the problems then. */
function describeChange ({ sequence: { schema, name }, now, state, moves }: PlannedSequence, home: string): RestorePlan['sequences'] {
  if (now === null) return []
  const after = moves ? state : now
  return [{ name: schema === home ? name : `${schema}.${name}`, now: now.lastValue, after: after.lastValue }]
}

type Counted = RestorePlan['tables']

/**
 * Exact, in one query; 0 where rows can't be seen, which is among the problems then. The planner runs functions of
 * index expressions, when they are written in SQL.
 */
async function countRows (tx: Transaction, tables: TableToRestore[], settings: RoleSettings): Promise<Counted> {
  let counted: Counted = []
  if (tables.length === 0) return counted
  await withSearchPath(tx, settings, async () => { counted = await queryCounts(tx, tables) })
  return counted
}

async function queryCounts (tx: Transaction, tables: TableToRestore[]): Promise<RestorePlan['tables']> {
  return await tx.query<RestorePlan['tables'][number]>(`SELECT name, "rowsNow", "rowsAfter" FROM (${tables.map(({ table, source }, place) => {
    const stored = table.relations.filter(({ kind, selectable, hidesRows }) => kind === 'r' && selectable && !hidesRows)
    const parts = stored
      .map(({ schema, name }) => `(SELECT pg_catalog.count(*) FROM ONLY ${qualifiedName(schema, name)})`)
    return `SELECT ${place} AS place, ${quoteLiteral(source.name)}::pg_catalog.text AS name,
      ${['0', ...parts].join(' OPERATOR(pg_catalog.+) ')} AS "rowsNow", ${source.rows} AS "rowsAfter"`
  }).join(' UNION ALL ')}) s ORDER BY place`)
}
