import type { Transaction } from './transaction.ts'

/**
 * Functions, operators and domains (`class`, `oid`) that run what users wrote, which may read any table and find it by
 * the role's own search_path: all functions outside pg_catalog, but for those in C that an extension brings. For WITH
 * RECURSIVE.
 */
export const userCodeQuery = `
  SELECT 'pg_proc'::regclass AS class, p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.pronamespace <> 'pg_catalog'::regnamespace AND NOT (l.lanname IN ('c', 'internal') AND EXISTS (SELECT
    FROM pg_depend d
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
  UNION
  SELECT next.class, next.oid FROM user_code CROSS JOIN LATERAL (
    SELECT 'pg_operator'::regclass AS class, o.oid FROM pg_operator o
    WHERE user_code.class = 'pg_proc'::regclass AND o.oprcode = user_code.oid
    UNION ALL
    SELECT 'pg_type'::regclass, con.contypid FROM pg_depend d JOIN pg_constraint con ON con.oid = d.objid
      AND con.contypid <> 0
    WHERE d.classid = 'pg_constraint'::regclass AND d.refclassid = user_code.class AND d.refobjid = user_code.oid
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t
    WHERE user_code.class = 'pg_type'::regclass AND t.typtype = 'd' AND t.typbasetype = user_code.oid
  ) next`

/** Whether what `class` and `oid` stand for depends on something of `user_code`. */
export const usesUserCode = (className: string, oid: string): string => `EXISTS (SELECT FROM pg_depend code
  JOIN user_code ON user_code.class = code.refclassid AND user_code.oid = code.refobjid
  WHERE code.classid = '${className}'::regclass AND code.objid = ${oid})`

/** Those of `relations` (oids) that run user code for each new row: for an index, a stored generated column, or to find its partition. */
export async function readRelationsWithUserCode (tx: Transaction, relations: string[]): Promise<Set<string>> {
  const rows = await tx.query<{ oid: string }>(`WITH RECURSIVE user_code AS (${userCodeQuery})
    SELECT i.indrelid::text AS oid FROM pg_index i
    WHERE i.indrelid = ANY ($1::oid[]) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
      AND ${usesUserCode('pg_class', 'i.indexrelid')}
    UNION SELECT d.adrelid::text FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = ANY ($1::oid[]) AND a.attgenerated = 's' AND ${usesUserCode('pg_attrdef', 'd.oid')}
    UNION SELECT p.partrelid::text FROM pg_partitioned_table p
    WHERE p.partrelid = ANY ($1::oid[]) AND p.partexprs IS NOT NULL AND ${usesUserCode('pg_class', 'p.partrelid')}`,
  [`{${relations.join(',')}}`])
  return new Set(rows.map(({ oid }) => oid))
}
