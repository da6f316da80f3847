import type { Transaction } from '../driver/transaction.ts'

/**
 * A relation that inherits from a table and is not a table of the same schema: its rows are not read with that table.
 */
export interface OutsideChild {
  /** Its nearest ancestor that is read. */
  table: string
  schema: string
  name: string
  /** The extension that owns it or its schema. */
  extension: string | null
}

/** A partition whose rows belong to a table of another schema. */
export interface OutsidePartition { schema: string, name: string, root: string, rootSchema: string }

const memberOf = (alias: string): string => `
  SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.objsubid = 0
    AND (d.classid, d.objid) IN (
      ('pg_class'::regclass, ${alias}.oid), ('pg_namespace'::regclass, ${alias}.relnamespace))
  ORDER BY d.classid <> 'pg_class'::regclass LIMIT 1`

/**
 * Relations that inherit from `tables` (oids), at any level, except partitions. A descendant that is an ordinary table
 * of the same schema ends its branch, because it is read as a table; a foreign table, or one that an extension owns,
 * does not.
 */
export async function readOutsideChildren (tx: Transaction, tables: string[]): Promise<OutsideChild[]> {
  return await tx.query<OutsideChild>(`
    WITH RECURSIVE descendant AS (
      SELECT t.oid AS top, t.oid FROM pg_class t WHERE t.oid = ANY ($1::oid[])
      UNION
      SELECT d.top, c.oid FROM descendant d
      JOIN pg_class top ON top.oid = d.top
      JOIN pg_inherits i ON i.inhparent = d.oid
      JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition AND c.relpersistence <> 't'
      WHERE c.relkind <> 'r' OR c.relnamespace <> top.relnamespace OR EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
    )
    SELECT top.relname AS table, n.nspname AS schema, c.relname AS name, (${memberOf('c')}) AS extension
    FROM descendant d JOIN pg_class top ON top.oid = d.top
    JOIN pg_class c ON c.oid = d.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.oid <> d.top
    ORDER BY top.relname, n.nspname, c.relname`, [`{${tables.join(',')}}`])
}

/** Partitions in `schema` that store rows and whose root is in another schema. */
export async function readOutsidePartitions (tx: Transaction, schema: string): Promise<OutsidePartition[]> {
  return await tx.query<OutsidePartition>(`
    SELECT n.nspname AS schema, c.relname AS name, root.relname AS root, root_schema.nspname AS "rootSchema"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class root ON root.oid = pg_partition_root(c.oid)
    JOIN pg_namespace root_schema ON root_schema.oid = root.relnamespace
    WHERE n.nspname = $1::text AND c.relispartition AND c.relkind = 'r' AND root.relnamespace <> c.relnamespace
    ORDER BY root_schema.nspname, root.relname, c.relname`, [schema])
}
