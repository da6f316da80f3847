import type { CopyReader } from './driver/copy-out.ts'
import type { Transaction } from './driver/transaction.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral, type TableRef } from './identifiers.ts'
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

/** Pages of a table: from `first` to before `end`, or to the last one. */
export interface PageRange { first: number, end: number | undefined }

/**
 * Two COPY statements: the first one has no rows, the second one has those of the range, in the order in which COPY of
 * the table returns them. As in copyQueryOut(), the query is planned under the role's own search_path. So the first
 * statement sets it, without a round trip of its own.
 *
 * Operators and types are qualified, since a user may have others of these names.
 */
export function rangeStatements (
  { search_path: path }: RoleSettings, relation: TableRef, columns: string[], { first, end }: PageRange
): string[] {
  const list = columns.map((name) => `t.${quoteIdentifier(name)}`).join(', ')
  const bounds = [`>=) '(${first},0)'`, ...end === undefined ? [] : [`<) '(${end},0)'`]]
  return [
    `COPY (SELECT WHERE pg_catalog.set_config('search_path', ${quoteLiteral(path)}, true) IS NULL) TO STDOUT`,
    `COPY (SELECT ${list} FROM ONLY ${qualifiedName(relation.schema, relation.name)} t
      WHERE (SELECT pg_catalog.set_config('search_path', '${ownSearchPath}', true)) IS NOT NULL
        ${bounds.map((bound) => `AND t.ctid OPERATOR(pg_catalog.${bound}::pg_catalog.tid`).join(' ')}) TO STDOUT`
  ]
}
