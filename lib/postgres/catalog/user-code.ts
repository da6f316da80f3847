import type { Transaction } from '../driver/transaction.ts'

/**
 * Functions, operators and domains (`class`, `oid`) that run user code, which may read any table and find it by the
 * role's own search_path: all functions outside pg_catalog, except those in C of an extension. For WITH RECURSIVE.
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

/** Whether the object with this class and oid depends on one of `user_code`. */
export const usesUserCode = (className: string, oid: string): string => `EXISTS (SELECT FROM pg_depend code
  JOIN user_code ON user_code.class = code.refclassid AND user_code.oid = code.refobjid
  WHERE code.classid = '${className}'::regclass AND code.objid = ${oid})`

/** A relation that runs user code for a new row; with `defaultOf`, for a row without a value for that column. */
export interface RelationWithUserCode { oid: string, defaultOf: string | null }

/**
 * Those of `relations` (oids) that run user code for a new row: for an index, a generated column, a default, a
 * partition key, or a type, such as a domain with a CHECK, also within an array, a range or a composite type.
 */
export async function readRelationsWithUserCode (
  tx: Transaction, relations: string[]
): Promise<RelationWithUserCode[]> {
  return await tx.query<RelationWithUserCode>(`WITH RECURSIVE user_code AS (${userCodeQuery}), container (type) AS (
      SELECT oid FROM user_code WHERE class = 'pg_type'::regclass
      UNION
      SELECT next.type FROM container CROSS JOIN LATERAL (
        SELECT t.oid AS type FROM pg_type t WHERE container.type IN (t.typbasetype, t.typelem)
        UNION ALL SELECT unnest(ARRAY[rngtypid, rngmultitypid]) FROM pg_range WHERE rngsubtype = container.type
        UNION ALL SELECT t.oid FROM pg_attribute a JOIN pg_type t ON t.typrelid = a.attrelid
          WHERE a.atttypid = container.type AND NOT a.attisdropped) next
    )
    SELECT i.indrelid::text AS oid, NULL::text AS "defaultOf" FROM pg_index i
    WHERE i.indrelid = ANY ($1::oid[]) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
      AND ${usesUserCode('pg_class', 'i.indexrelid')}
    UNION SELECT d.adrelid::text, CASE WHEN a.attgenerated = '' THEN a.attname END
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = ANY ($1::oid[]) AND a.attgenerated IN ('', 's') AND ${usesUserCode('pg_attrdef', 'd.oid')}
    UNION SELECT p.partrelid::text, NULL FROM pg_partitioned_table p
    WHERE p.partrelid = ANY ($1::oid[]) AND p.partexprs IS NOT NULL AND ${usesUserCode('pg_class', 'p.partrelid')}
    UNION SELECT a.attrelid::text, NULL FROM pg_attribute a
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypid IN (SELECT type FROM container)`,
  [`{${relations.join(',')}}`])
}
