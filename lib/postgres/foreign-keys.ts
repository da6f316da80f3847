import { RestoreFailed } from '../errors.ts'
import { foreignKeyViolation, sqlState } from './database-error.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifiers.ts'
import type { Lockable } from './locks.ts'
import type { Transaction } from './transaction.ts'

export interface ForeignKey {
  name: string
  /** The referencing table, and what this role may do to it. */
  table: Lockable & { oid: string, owned: boolean, forcesRowSecurity: boolean }
  /** The referenced table. */
  references: Lockable & { oid: string, allowed: boolean, lockable: boolean, owned: boolean, forcesRowSecurity: boolean }
  /** pg_get_constraintdef(), with NOT VALID and DEFERRABLE where they apply. */
  definition: string
  comment: string | null
  /**
   * A partition's share of its root's key under a name of its own. It goes with the root's, and has to be made before the root's is made again,
   * which then adopts it by its shape.
   */
  ofPartition: boolean
  /** Pairs of columns and how they match, to count what dangles. Null for a temporal key (PERIOD). */
  columns: Array<{ from: string, to: string }> | null
}

/** Every foreign key with one of `relations` (oids) at either end. */
export async function readForeignKeys (tx: Transaction, relations: string[]): Promise<ForeignKey[]> {
  const end = (alias: string, namespace: string): string =>
    `'oid', ${alias}.oid::text, 'schema', ${namespace}.nspname, 'name', ${alias}.relname, 'owned', pg_has_role(${alias}.relowner, 'USAGE'),
     'forcesRowSecurity', ${alias}.relforcerowsecurity AND ${alias}.relrowsecurity`
  return await tx.query<ForeignKey>(`
    SELECT con.conname AS name,
      json_build_object(${end('child', 'cn')}) AS table,
      json_build_object(${end('parent', 'pn')},
        'allowed', has_table_privilege(parent.oid, 'REFERENCES') OR has_any_column_privilege(parent.oid, 'REFERENCES'),
        'lockable', has_table_privilege(parent.oid, 'UPDATE') OR has_table_privilege(parent.oid, 'DELETE') OR has_table_privilege(parent.oid, 'TRUNCATE')) AS references,
      pg_get_constraintdef(con.oid) AS definition,
      obj_description(con.oid, 'pg_constraint') AS comment,
      con.conparentid <> 0 AS "ofPartition",
      CASE WHEN pg_get_constraintdef(con.oid) !~ '\\mPERIOD\\M' THEN (
        SELECT json_agg(json_build_object('from', f.attname, 'to', t.attname) ORDER BY k.place)
        FROM unnest(con.conkey, con.confkey) WITH ORDINALITY AS k(conkey, confkey, place)
        JOIN pg_attribute f ON f.attrelid = con.conrelid AND f.attnum = k.conkey
        JOIN pg_attribute t ON t.attrelid = con.confrelid AND t.attnum = k.confkey) END AS columns
    FROM pg_constraint con
    JOIN pg_class child ON child.oid = con.conrelid JOIN pg_namespace cn ON cn.oid = child.relnamespace
    JOIN pg_class parent ON parent.oid = con.confrelid JOIN pg_namespace pn ON pn.oid = parent.relnamespace
    LEFT JOIN pg_constraint up ON up.oid = con.conparentid
    WHERE con.contype = 'f' AND (con.conrelid = ANY ($1::text::oid[]) OR con.confrelid = ANY ($1::text::oid[]))
      AND (up.oid IS NULL OR (up.conrelid <> con.conrelid AND up.conname <> con.conname))
    ORDER BY con.conparentid <> 0 DESC, cn.nspname, child.relname, con.conname`, [`{${relations.join(',')}}`])
}

/** A root's key takes its partitions' shares along. */
export async function dropForeignKeys (tx: Transaction, keys: ForeignKey[]): Promise<void> {
  const statements = keys.filter(({ ofPartition }) => !ofPartition)
    .map(({ name, table }) => `ALTER TABLE ${qualifiedName(table.schema, table.name)} DROP CONSTRAINT ${quoteIdentifier(name)};`)
  if (statements.length > 0) await tx.run(statements.join(''))
}

/** Makes them again; that checks every row, but for a key that was NOT VALID. Throws FST_BACKUP_RESTORE_FAILED with the number of rows that dangle. */
export async function addForeignKeys (tx: Transaction, keys: ForeignKey[]): Promise<void> {
  let current: ForeignKey | undefined
  try {
    await tx.savepoint(async (inner) => {
      for (const key of keys) {
        current = key
        await addForeignKey(inner, key)
      }
    })
  } catch (error) {
    if (current === undefined || sqlState(error) !== foreignKeyViolation) throw error
    const { name, table, references } = current
    throw new RestoreFailed(`${await countDangling(tx, current)} in ${table.schema}.${table.name} would refer to nothing in ${references.schema}.${references.name}, by the foreign key ${name}`)
  }
}

async function addForeignKey (tx: Transaction, { name, table: { schema, name: tableName }, definition, comment }: ForeignKey): Promise<void> {
  const table = qualifiedName(schema, tableName)
  await tx.run(`ALTER TABLE ${table} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`)
  if (comment !== null) await tx.run(`COMMENT ON CONSTRAINT ${quoteIdentifier(name)} ON ${table} IS ${quoteLiteral(comment)}`)
}

async function countDangling (tx: Transaction, { table, references, columns }: ForeignKey): Promise<string> {
  if (columns === null) return 'rows'
  const notNull = columns.map(({ from }) => `child_row.${quoteIdentifier(from)} IS NOT NULL`)
  const equal = columns.map(({ from, to }) => `parent_row.${quoteIdentifier(to)} = child_row.${quoteIdentifier(from)}`)
  const [row] = await tx.query<{ dangling: number }>(`SELECT count(*) AS dangling FROM ${qualifiedName(table.schema, table.name)} child_row
    WHERE ${notNull.join(' AND ')} AND NOT EXISTS (SELECT FROM ${qualifiedName(references.schema, references.name)} parent_row WHERE ${equal.join(' AND ')})`)
  return `${row?.dangling ?? 0} rows`
}
