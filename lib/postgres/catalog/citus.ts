import type { ServerFacts } from './server.ts'
import type { Transaction } from '../driver/transaction.ts'

/** Whether the database has the extension. */
export const isCitus = ({ citus }: ServerFacts): boolean => Object.values(citus).includes(true)

/**
 * Returns those of `tables` (oids) that Citus manages: distributed, reference and local tables, and all tables of a
 * distributed schema. Each node has another snapshot, and COPY of such a table returns text that other sessions
 * created, with other settings.
 */
export async function readCitusTables (
  tx: Transaction, { citus }: ServerFacts, tables: string[]
): Promise<Set<string>> {
  const managed = [
    ...citus.partitions ? ['EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = c.oid)'] : [],
    ...citus.schemas ? ['EXISTS (SELECT FROM pg_dist_schema s WHERE s.schemaid = c.relnamespace)'] : []
  ]
  if (managed.length === 0) return new Set()
  const rows = await tx.query<{ oid: string }>(`SELECT c.oid::text AS oid FROM pg_class c
    WHERE c.oid = ANY ($1::oid[]) AND (${managed.join(' OR ')})`, [`{${tables.join(',')}}`])
  return new Set(rows.map(({ oid }) => oid))
}

/**
 * Whether this is a worker node, which does not have the local tables of the coordinator. The group of the coordinator
 * is 0.
 */
export async function isCitusWorker (tx: Transaction, { citus }: ServerFacts): Promise<boolean> {
  if (!citus.groups) return false
  const { worker } = await tx.queryRow<{ worker: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_dist_local_group WHERE groupid <> 0) AS worker')
  return worker
}
