import type { CopyReader } from './driver/copy-out.ts'
import { qualifiedName, quoteIdentifier } from './identifiers.ts'
import { ownSearchPath, type RoleSettings, withSearchPath } from './settings.ts'
import type { Transaction } from './driver/transaction.ts'

/**
 * Reads columns that a COPY of the table leaves out: generated ones (manual, COPY). It takes them from a query.
 *
 * A query is planned, and the planner runs functions of indexes and statistics, which find their tables by the role's own search_path. Under that
 * path a value of type regclass, say, is written otherwise than in the rest of the snapshot. So the query itself sets our path again, before its
 * first row.
 */
export async function copyQueryOut (tx: Transaction, settings: RoleSettings, relation: { schema: string, name: string }, columns: string[], reader: CopyReader): Promise<void> {
  await withSearchPath(tx, settings, async () => {
    await tx.copyOut([`COPY (SELECT ${columns.map(quoteIdentifier).join(', ')} FROM ONLY ${qualifiedName(relation.schema, relation.name)}
      WHERE (SELECT pg_catalog.set_config('search_path', '${ownSearchPath}', true)) IS NOT NULL) TO STDOUT`], reader)
  })
}
