import type { CatalogRelation } from '../postgres/catalog/tables.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { setLocal } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/**
 * All leaves and tables in one statement, each by ONLY: TRUNCATE of a root or an inheritance parent reaches descendants that are not
 * meant. DELETE would meet rules and row triggers, and leave the dead rows behind.
 *
 * From PostgreSQL 17, TRUNCATE prepares the expressions of indexes under a search_path of its own, where functions in
 * SQL may find nothing, unless the session has prepared them before: so they are planned first. Those of statistics it prepares
 * to see whether workers are worth it, which are none for an empty index. The tests "an index over a function …" and "a table whose
 * indexes and statistics …" tell when that can go.
 * @param withUserCode oids of those that run user code for each new row
 */
export async function truncate (tx: Transaction, relations: CatalogRelation[], withUserCode: Set<string>): Promise<void> {
  const names = relations.filter(({ kind }) => kind === 'r').map(({ schema, name }) => `ONLY ${qualifiedName(schema, name)}`)
  const plans = relations.filter(({ kind, oid }) => kind === 'r' && withUserCode.has(oid))
    .map(({ schema, name }) => `SELECT FROM ONLY ${qualifiedName(schema, name)} LIMIT 0;`)
  if (names.length === 0) return
  await tx.run(`${setLocal('max_parallel_maintenance_workers', '0')}${plans.join('')}TRUNCATE ${names.join(', ')} CONTINUE IDENTITY RESTRICT`)
}
