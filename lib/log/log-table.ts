import { LogUnusable } from '../errors.ts'
import type { Sql } from '../postgres/connection.ts'
import { qualifiedName, quoteLiteral } from '../postgres/identifiers.ts'
import { migrationKey, waitForLock } from '../postgres/locks.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/transaction.ts'

export const logTableName = 'backup_logs'

/** The table's comment tells which migrations it has had: one look-up, no table besides. */
const versionComment = /^fastify-backup log, version (\d+)$/

/** In order; each brings the table from the version before it to its own place in the list. Never change one that was released. */
const migrations: Array<(table: string) => string> = [
  (table) => `
    CREATE TABLE ${table} (
      id uuid PRIMARY KEY,
      schema text NOT NULL,
      filename text NOT NULL UNIQUE,
      status text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'restored')),
      trigger text NOT NULL CHECK (trigger IN ('manual', 'scheduled', 'pre_restore', 'import')),
      compression text NOT NULL DEFAULT 'none',
      size_bytes bigint,
      table_count integer,
      row_count bigint,
      checksum text,
      error text,
      created_by text,
      cron text,
      note text,
      pinned boolean NOT NULL DEFAULT false,
      started_at timestamptz NOT NULL,
      finished_at timestamptz,
      duration_ms bigint,
      restored_at timestamptz,
      restored_by text,
      restore jsonb,
      slot timestamptz,
      progress jsonb,
      restore_schema text,
      has_file boolean NOT NULL DEFAULT false,
      removed_at timestamptz,
      UNIQUE (schema, slot),
      CHECK (status NOT IN ('completed', 'restored') OR (size_bytes IS NOT NULL AND checksum IS NOT NULL))
    );
    CREATE INDEX ON ${table} (started_at, id);
    COMMENT ON COLUMN ${table}.slot IS 'The moment of the schedule that this run serves; a slot is claimed by one row';
    COMMENT ON COLUMN ${table}.restore_schema IS 'Where the newest restore of this snapshot goes';
    COMMENT ON COLUMN ${table}.has_file IS 'The storage may hold a file of this run';
    COMMENT ON COLUMN ${table}.removed_at IS 'The snapshot is being deleted: first this mark, then the file, then the row';`
]

/**
 * Creates or migrates the log table. Several replicas may start at once: one does it, the others wait. Throws FST_BACKUP_LOG_UNUSABLE
 * when the schema is missing, or when a table of that name is not ours or was made by a newer release.
 */
export async function prepareLogTable (sql: Sql, schema: string): Promise<void> {
  await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
    await pinSettings(tx)
    if (await tableVersion(tx, schema) === migrations.length) return
    await waitForLock(tx, migrationKey(schema))
    // Another replica may have done it in the meantime
    const version = await tableVersion(tx, schema)
    const table = qualifiedName(schema, logTableName)
    for (const migration of migrations.slice(version)) await tx.run(migration(table))
    if (version < migrations.length) await tx.run(`COMMENT ON TABLE ${table} IS ${quoteLiteral(`fastify-backup log, version ${migrations.length}`)}`)
  })
}

async function tableVersion (tx: Transaction, schema: string): Promise<number> {
  const [found] = await tx.query<{ exists: boolean, comment: string | null }>(`
    SELECT c.oid IS NOT NULL AS exists, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $2::text
    WHERE n.nspname = $1::text`, [schema, logTableName])
  if (found === undefined) throw new LogUnusable(`there is no schema ${schema}; create it, or name another by logSchema`)
  if (!found.exists) return 0
  const version = Number(versionComment.exec(found.comment ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(version)) throw new LogUnusable(`${schema}.${logTableName} was not made by fastify-backup (its comment does not say so); name another schema by logSchema`)
  if (version > migrations.length) throw new LogUnusable(`${schema}.${logTableName} was made by a newer release of fastify-backup; update this one`)
  return version
}
