import { RestoreFailed } from '../../errors.ts'
import { foreignKeyViolation, sqlState } from '../database-error.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral, type TableRef } from '../identifiers.ts'
import { runAll, runInChunks } from '../run-statements.ts'
import type { Transaction } from '../driver/transaction.ts'

/** A table at one end of a foreign key, and the privileges of the role on it. */
export interface KeyEnd extends TableRef {
  oid: string
  partitioned: boolean
  owned: boolean
  lockable: boolean
  forcesRowSecurity: boolean
}

export interface ForeignKey {
  name: string
  /** The referencing table. */
  table: KeyEnd
  /** The referenced table; `allowed`: whether a foreign key may refer to it. */
  references: KeyEnd & { allowed: boolean }
  /** pg_get_constraintdef(), with NOT VALID and DEFERRABLE where they apply. */
  definition: string
  /** The unique index that the key uses, and the one that it would use after `definition` has added it again. */
  index: { current: string, next: string | null }
  comment: string | null
  /**
   * `declared`: a statement declared it. If a table at either end is partitioned, such a key has a further key for each
   * partition. `derived`: the server drops and adds this further key with the key of the root. `attached`: it differs
   * from what the server would add, for example by its name, so it must be added before the key of the root. The server
   * then attaches it, because it has the same columns.
   */
  kind: 'declared' | 'attached' | 'derived'
  /** Whether its triggers were disabled (DISABLE TRIGGER ALL), which only a superuser can do. */
  disabled: boolean
  matchFull: boolean
  /**
   * Pairs of columns and the operator that compares them, to count rows without a referenced row. Null for a temporal
   * key (PERIOD).
   */
  columns: Array<{ from: string, to: string, operator: string }> | null
}

const end = (alias: string, namespace: string): string =>
  `'oid', ${alias}.oid::text, 'schema', ${namespace}.nspname, 'name', ${alias}.relname,
   'partitioned', ${alias}.relkind = 'p',
   'owned', pg_has_role(${alias}.relowner, 'USAGE'),
   'forcesRowSecurity', ${alias}.relforcerowsecurity AND ${alias}.relrowsecurity,
   'lockable', has_schema_privilege(${namespace}.oid, 'USAGE')
     AND (has_table_privilege(${alias}.oid, 'UPDATE') OR has_table_privilege(${alias}.oid, 'DELETE')
       OR has_table_privilege(${alias}.oid, 'TRUNCATE'))`

/** Each key (`key`) with its ancestors, for WITH RECURSIVE; the row with `above = 0` has the declared one (`top`). */
export const rootKeysQuery = `
  SELECT oid AS key, oid AS top, conparentid AS above FROM pg_constraint WHERE contype = 'f'
  UNION ALL SELECT root.key, up.oid, up.conparentid FROM root JOIN pg_constraint up ON up.oid = root.above`

/**
 * ADD FOREIGN KEY uses the unique index with the lowest oid among those with the columns, and not the index that the
 * key had before: REINDEX CONCURRENTLY creates an index with a new oid. Without a list of columns it uses that of the
 * primary key. Keys of partitions use the index that corresponds to that of their root.
 */
const indexQuery = `
  CROSS JOIN LATERAL (
    SELECT array_agg(quote_ident(a.attname) ORDER BY k.place) AS names, array_agg(k.number ORDER BY k.number) AS sorted
    FROM unnest(con.confkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.number) key_columns
  LEFT JOIN LATERAL (
    SELECT i.indexrelid, i.indisprimary AND (i.indkey::int2[])[0:i.indnkeyatts - 1] = con.confkey AS as_primary
    FROM pg_index i WHERE i.indexrelid = con.conindid) used_index ON true
  LEFT JOIN LATERAL (SELECT i.indexrelid FROM pg_index i
    WHERE i.indrelid = con.confrelid AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
      AND CASE WHEN traits.temporal THEN i.indisexclusion ELSE i.indisunique END
      AND (SELECT array_agg(number ORDER BY number)
        FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) number) = key_columns.sorted
    ORDER BY i.indexrelid LIMIT 1) first_index ON true
  CROSS JOIN LATERAL (
    SELECT con.confrelid::regclass || '(' || array_to_string(key_columns.names, ', ') || ')' AS with_columns) target`

/** What readForeignKeys() selects. */
const keyColumns = `con.conname AS name,
      json_build_object(${end('child', 'cn')}) AS table,
      json_build_object(${end('parent', 'pn')}, 'allowed', has_schema_privilege(pn.oid, 'USAGE')
        AND (has_table_privilege(parent.oid, 'REFERENCES') OR (
          SELECT bool_and(has_column_privilege(parent.oid, k, 'REFERENCES'))
          FROM unnest(con.confkey) k))) AS references,
      CASE WHEN omits_columns
        THEN replace(definition, 'REFERENCES ' || with_columns, 'REFERENCES ' || con.confrelid::regclass)
        ELSE definition END AS definition,
      json_build_object('current', con.conindid::regclass, 'next', CASE WHEN traits.kind <> 'declared' OR omits_columns
        THEN con.conindid ELSE first_index.indexrelid END::regclass) AS index,
      obj_description(con.oid, 'pg_constraint') AS comment,
      traits.kind,
      EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = con.oid AND t.tgenabled <> 'O') AS disabled,
      con.confmatchtype = 'f' AS "matchFull",
      CASE WHEN NOT traits.temporal THEN (
        SELECT json_agg(json_build_object('from', f.attname, 'to', t.attname,
          'operator', format('OPERATOR(%I.%s)', opn.nspname, op.oprname)) ORDER BY k.place)
        FROM unnest(con.conkey, con.confkey, con.conpfeqop) WITH ORDINALITY AS k(conkey, confkey, operator, place)
        JOIN pg_attribute f ON f.attrelid = con.conrelid AND f.attnum = k.conkey
        JOIN pg_attribute t ON t.attrelid = con.confrelid AND t.attnum = k.confkey
        JOIN pg_operator op ON op.oid = k.operator JOIN pg_namespace opn ON opn.oid = op.oprnamespace) END AS columns`

/**
 * Every foreign key with one of `relations` (oids) at either end, in the order in which they must be added. Their
 * actions fire in the order in which the keys were added, so that order is kept. The attached keys of partitions
 * precede the key of their root, from the leaves upwards. A key that is declared on a partition, with the columns of
 * its root's key, is newer than that key, which would have attached it otherwise.
 *
 * Triggers fire in the order of their names, which contain the oids as text: 100000 fires before 99999.
 */
export async function readForeignKeys (tx: Transaction, relations: string[]): Promise<ForeignKey[]> {
  return await tx.query<ForeignKey>(`
    WITH RECURSIVE root AS (${rootKeysQuery})
    SELECT ${keyColumns}
    FROM pg_constraint con
    JOIN pg_class child ON child.oid = con.conrelid JOIN pg_namespace cn ON cn.oid = child.relnamespace
    JOIN pg_class parent ON parent.oid = con.confrelid JOIN pg_namespace pn ON pn.oid = parent.relnamespace
    LEFT JOIN pg_constraint up ON up.oid = con.conparentid
    CROSS JOIN LATERAL (SELECT CASE WHEN up.oid IS NULL THEN 'declared'
      WHEN up.conrelid <> con.conrelid AND (up.conname <> con.conname OR up.convalidated <> con.convalidated
        OR obj_description(con.oid, 'pg_constraint') IS NOT NULL)
      THEN 'attached' ELSE 'derived' END AS kind,
      pg_get_constraintdef(con.oid) AS definition, pg_get_constraintdef(con.oid) ~ '\\mPERIOD\\M' AS temporal) traits
    ${indexQuery}
    CROSS JOIN LATERAL (SELECT traits.kind = 'declared' AND used_index.as_primary
      AND first_index.indexrelid IS DISTINCT FROM con.conindid
      AND strpos(definition, 'REFERENCES ' || with_columns) > 0 AS omits_columns) choice
    CROSS JOIN LATERAL (SELECT count(*) AS depth FROM pg_partition_ancestors(child.oid)) tree
    JOIN root ON root.key = con.oid AND root.above = 0
    LEFT JOIN LATERAL (SELECT min(t.tgname::text COLLATE "C") AS fires FROM pg_trigger t
      WHERE t.tgconstraint = root.top AND starts_with(t.tgname, 'RI_ConstraintTrigger_a_')) trigger ON true
    WHERE con.contype = 'f' AND (con.conrelid = ANY ($1::oid[]) OR con.confrelid = ANY ($1::oid[]))
    ORDER BY trigger.fires, root.top, traits.kind = 'declared', tree.depth DESC, cn.nspname, child.relname,
      con.conname`,
  [`{${relations.join(',')}}`])
}

/** Drops them. The server drops the keys of partitions with that of the root. */
export async function dropForeignKeys (tx: Transaction, keys: ForeignKey[]): Promise<void> {
  await runInChunks(tx, keys.filter(({ kind }) => kind === 'declared')
    .map(({ name, table: { schema, name: table } }) =>
      `ALTER TABLE ${qualifiedName(schema, table)} DROP CONSTRAINT ${quoteIdentifier(name)}`))
}

/**
 * Adds them again, which checks every row, except for a key that was NOT VALID. Must run under the role's own
 * search_path, because operators of a key may be a user's. Throws FST_BACKUP_RESTORE_FAILED with the number of rows
 * without a referenced row.
 */
export async function addForeignKeys (tx: Transaction, keys: ForeignKey[]): Promise<void> {
  await runAll(tx, keys.filter(({ kind }) => kind !== 'derived'), addForeignKey, {
    concerns: (error) => sqlState(error) === foreignKeyViolation,
    async explain (key) {
      const { name, table, references } = key
      return new RestoreFailed(`${await countOrphans(tx, key)} in ${table.schema}.${table.name} ` +
        `would refer to nothing in ${references.schema}.${references.name}, by the foreign key ${name}`)
    }
  })
}

function addForeignKey ({ name, table: { schema, name: tableName }, definition, comment }: ForeignKey): string {
  const table = qualifiedName(schema, tableName)
  const constraint = quoteIdentifier(name)
  return `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${definition}` +
    (comment === null ? '' : `; COMMENT ON CONSTRAINT ${constraint} ON ${table} IS ${quoteLiteral(comment)}`)
}

/** Counts rows without a referenced row. */
async function countOrphans (
  tx: Transaction, { table, references, columns, matchFull }: ForeignKey
): Promise<string> {
  if (columns === null) return 'rows'
  const given = columns.map(({ from }) => `child_row.${quoteIdentifier(from)} IS NOT NULL`)
  const equal = columns.map(({ from, to, operator }) =>
    `parent_row.${quoteIdentifier(to)} ${operator} child_row.${quoteIdentifier(from)}`)
  const { orphans } = await tx.queryRow<{ orphans: number }>(`SELECT pg_catalog.count(*) AS orphans
    FROM ${rowsOf(table)} child_row
    WHERE (${given.join(matchFull ? ' OR ' : ' AND ')})
      AND NOT EXISTS (SELECT FROM ${rowsOf(references)} parent_row WHERE ${equal.join(' AND ')})`)
  return `${orphans} rows`
}

/** A key applies to the partitions of a table, but not to tables that inherit from it. */
const rowsOf = ({ schema, name, partitioned }: KeyEnd): string =>
  `${partitioned ? '' : 'ONLY '}${qualifiedName(schema, name)}`
