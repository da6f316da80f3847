import type { CatalogRelation } from '../postgres/catalog/tables.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { setLocal } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/**
 * Empties all tables and leaf partitions in one statement, each with ONLY: TRUNCATE of a partitioned table or an
 * inheritance parent would also empty descendants that are not restored. DELETE would run rules and row triggers and
 * leave dead rows behind.
 *
 * From PostgreSQL 17 on, TRUNCATE prepares the expressions of indexes under a search_path that it sets itself, where
 * functions written in SQL may not find their tables, unless the session has prepared the expressions before. So a
 * query on each table is planned first. TRUNCATE prepares the expressions of statistics only to decide whether
 * parallel workers are worthwhile, which they never are for an empty index; so none are allowed. The tests "an index
 * over a function …" and "a table whose indexes and statistics …" show when this is no longer needed.
 * @param withUserCode oids of the relations that run user code for each new row
 */
export async function truncate (
  tx: Transaction, relations: CatalogRelation[], withUserCode: Set<string>
): Promise<void> {
  const stored = relations.filter(({ kind }) => kind === 'r')
  if (stored.length === 0) return
  const plans = stored.filter(({ oid }) => withUserCode.has(oid))
    .map(({ schema, name }) => `SELECT FROM ONLY ${qualifiedName(schema, name)} LIMIT 0;`)
  const names = stored.map(({ schema, name }) => `ONLY ${qualifiedName(schema, name)}`)
  const noWorkers = setLocal('max_parallel_maintenance_workers', '0')
  const workersAgain = 'SET LOCAL max_parallel_maintenance_workers TO DEFAULT'
  await tx.run(
    `${noWorkers}${plans.join('')}TRUNCATE ${names.join(', ')} CONTINUE IDENTITY RESTRICT;${workersAgain}`)
}
