import type { CopyReader } from './driver/copy-out.ts'
import type { Transaction } from './driver/transaction.ts'
import { qualifiedName, quoteIdentifier, type TableRef } from './identifiers.ts'
import { ownSearchPath, type RoleSettings, withSearchPath } from './settings.ts'

/**
 * Reads columns that COPY of a table leaves out, which are the generated ones (manual, COPY), by COPY of a query.
 *
 * A query is planned, and the planner runs functions of indexes and statistics, which find their tables by the role's
 * own search_path. Under that path, values of some types, such as regclass, have another text than in the rest of the
 * snapshot. So the query sets the path of the library again before its first row.
 */
export async function copyQueryOut (
  tx: Transaction, settings: RoleSettings, relation: TableRef, columns: string[], reader: CopyReader
): Promise<void> {
  const list = columns.map(quoteIdentifier).join(', ')
  await withSearchPath(tx, settings, async () => {
    await tx.copyOut([`COPY (SELECT ${list} FROM ONLY ${qualifiedName(relation.schema, relation.name)}
      WHERE (SELECT pg_catalog.set_config('search_path', '${ownSearchPath}', true)) IS NOT NULL) TO STDOUT`], reader)
  })
}
