import type { Transaction } from '../postgres/driver/transaction.ts'

/** The key of a run in the column `carried`: `scheduled failed`. */
export const kindOfRun = "trigger || CASE status WHEN 'failed' THEN ' failed' ELSE ' completed' END"

/** What a statement that deletes rows must return. */
export const returnedCounts =
  `CASE WHEN counted AND status <> 'running' THEN ${kindOfRun} END AS kind, carried, id::text AS id`

export interface DeletedRow { id: string, kind: string | null, carried: Record<string, number> }

/**
 * Adds the runs of deleted rows to those of another row, in the transaction that deletes them. Otherwise the number of
 * runs would decrease with retention, and a monitoring system would take that for a restart. The caller has the
 * retention lock of the schema, so that the other row is not deleted meanwhile.
 */
export async function carryCounts (tx: Transaction, table: string, heir: string, deleted: DeletedRow[]): Promise<void> {
  const counts = deleted.flatMap(({ kind, carried }) =>
    [...Object.entries(carried), ...kind === null ? [] : [[kind, 1] as const]])
  if (counts.length === 0) return
  await tx.query(`WITH q AS (UPDATE ${table} heir SET carried = (SELECT jsonb_object_agg(kind, runs)
      FROM (SELECT kind, sum(runs) AS runs FROM (
        SELECT kind, runs::int8 FROM jsonb_each_text(heir.carried) AS own (kind, runs)
        UNION ALL SELECT added ->> 0, (added ->> 1)::int8 FROM jsonb_array_elements($2::text::jsonb) AS a (added)
      ) each_run GROUP BY kind) sums)
    WHERE id = $1::text::uuid RETURNING id)`, [heir, JSON.stringify(counts)])
}
