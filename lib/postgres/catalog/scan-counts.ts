import type { Transaction } from '../driver/transaction.ts'

/**
 * How often this transaction has scanned each of `relations` (oids), sequentially or by an index (manual, 27.2.2,
 * pg_stat_xact_all_tables). The server does not count while track_counts is off.
 */
export async function countScans (tx: Transaction, relations: string[]): Promise<Map<string, number>> {
  const rows = await tx.query<{ oid: string, scans: number }>(`SELECT r.oid::pg_catalog.text AS oid,
      pg_catalog.pg_stat_get_xact_numscans(r.oid) OPERATOR(pg_catalog.+) (
        SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_numscans(i.indexrelid)), 0)::pg_catalog.int8
        FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) r.oid) AS scans
    FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS r(oid)`, [`{${relations.join(',')}}`])
  return new Map(rows.map(({ oid, scans }) => [oid, scans]))
}

export async function countsScans (tx: Transaction): Promise<boolean> {
  const { on } = await tx.queryRow<{ on: boolean }>(
    "SELECT pg_catalog.current_setting('track_counts')::pg_catalog.bool AS on")
  return on
}
