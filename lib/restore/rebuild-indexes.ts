import {
  createIndexes, dropIndexes, readSecondaryIndexes, renameIndexColumns, type SecondaryIndex
} from '../postgres/catalog/secondary-indexes.ts'
import { type RoleSettings, withCatalogFirst, withRoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { countSpareLocks } from './restore-problems.ts'
import { type RestoreScope, runsUserCode } from './restore-scope.ts'

/**
 * The least number of rows in the snapshot of a table whose indexes are rebuilt. A load took 1.0 to 1.2 times as long
 * with rebuilding for 2,000 rows and three indexes a table, 0.75 times for 5,000 and 0.6 times for 30,000.
 */
const leastRows = 5000

/**
 * Drops the indexes that are faster to build from all rows than to extend row by row, and returns them. Afterwards the
 * indexes, as the tables, are as before, except for oids.
 *
 * The tables must have been emptied: that locks their indexes. A table that runs user code for each row keeps its
 * indexes, since such code may read the table.
 */
export async function suspendIndexes (
  tx: Transaction, scope: Pick<RestoreScope, 'tables' | 'relations' | 'withUserCode'>
): Promise<SecondaryIndex[]> {
  const { tables, withUserCode } = scope
  const large = tables.filter(({ table, recorded }) =>
    recorded.rows >= leastRows && !runsUserCode(table, withUserCode))
  if (large.length === 0) return []
  const relations = large.flatMap(({ table }) => table.relations.map(({ oid }) => oid))
  const indexes = await readSecondaryIndexes(tx, relations)
  // A new index needs a lock of its own, and the dropped one keeps its lock
  if (indexes.length === 0 || indexes.length > await countSpareLocks(tx, scope)) return []
  await dropIndexes(tx, indexes)
  return indexes
}

/** Creates the dropped indexes from the rows of their tables, before code of users reads these tables. */
export async function recreateIndexes (
  tx: Transaction, indexes: SecondaryIndex[], roleSettings: RoleSettings
): Promise<void> {
  if (indexes.length === 0) return
  // CREATE INDEX fails while its table has pending trigger events, such as those of deferred constraints
  await withRoleSettings(tx, roleSettings, async () => { await tx.run('SET CONSTRAINTS ALL IMMEDIATE') })
  await withRoleSettings(tx, withCatalogFirst(roleSettings), async () => { await createIndexes(tx, indexes) })
  await renameIndexColumns(tx, indexes)
}
