import type { Sql } from '../driver/connection.ts'
import { isLockTimeout } from '../database-error.ts'
import { readInOneTrip } from '../driver/transaction.ts'
import { pinnedSettings, setLocal } from '../settings.ts'

/** How many tables a small schema has at most, and how many bytes their rows in files of the server. */
export interface SizeLimits { tables: number, bytes: number }

/** Milliseconds. The size of a table that another session has locked cannot be read (pg_relation_size). */
const lockTimeoutMs = 50

/**
 * Whether the tables of a schema stay within the limits, in one round trip. The files of TOAST values count. A schema
 * with a partitioned table is not small, since partitions may be in any schema, nor is one with a locked table.
 */
export async function isSmallSchema (sql: Sql, schema: string, { tables, bytes }: SizeLimits): Promise<boolean> {
  const settings = pinnedSettings + setLocal('lock_timeout', String(lockTimeoutMs))
  const rows = await readInOneTrip<{ small: boolean }>(sql, settings, `SELECT count(*) <= ${tables}
      AND NOT coalesce(bool_or(kind = 'p'), false) AND coalesce(sum(size), 0) <= ${bytes} AS small
    FROM (SELECT c.relkind AS kind, pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)
        AS size
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p') LIMIT ${tables + 1}) first`, [schema])
    .catch((error: unknown) => {
      if (!isLockTimeout(error)) throw error
      return []
    })
  return rows.some(({ small }) => small)
}
