import { quoteLiteral } from '../identifiers.ts'
import type { Transaction } from '../driver/transaction.ts'
import { userCodeQuery, usesUserCode } from './user-code.ts'

/**
 * A column whose values a snapshot contains: not a dropped one, and not a generated one unless user code generates it.
 */
export interface CatalogColumn {
  name: string
  /** format_type(), without the name of the table's own schema. */
  type: string
  /** The pg_type.oid of the base type, for a domain over domains too. */
  baseType: number
  /** The base type is an enum. */
  isEnum: boolean
  /**
   * For a true array type (the typarray of its element is this type): the OIDs of the type of its elements and of the
   * base type of that, which `isArray` and `isEnum` describe.
   */
  element: { type: number, baseType: number, isArray: boolean, isEnum: boolean, delimiter: string } | null
  /**
   * NOT NULL, because of the column or its domain, without a default of either and without identity: an INSERT must set
   * it.
   */
  required: boolean
  /**
   * Generated and stored by an expression with user code, in the table or in one of its partitions. Such a value cannot
   * be written, and may differ when it is generated again.
   */
  generated: boolean
}

/** A relation that stores rows, or a partitioned table. The root is the first one among its relations. */
export interface CatalogRelation {
  oid: string
  schema: string
  name: string
  kind: 'r' | 'p' | 'f'
  /** The file of the rows, in the snapshot of the statement and at present. They differ after a TRUNCATE in between. */
  filenode: string | null
  currentFilenode: string | null
  /** Whether the role has the privileges of the owner. */
  owned: boolean
  /** The number of its rows when it was last analyzed (pg_class.reltuples); null if it never was. */
  estimatedRows: number | null
  selectable: boolean
  /** Whether the role has the USAGE privilege on the schema. Without it, the relation is not selectable. */
  reachable: boolean
  /** Whether row security would hide rows from the role. */
  hidesRows: boolean
  forcesRowSecurity: boolean
  /**
   * Columns that this partition generates and its root does not; ATTACH PARTITION of PostgreSQL 15 allows that. COPY
   * accepts no such column; rows that are inserted into the root get the values that the partition generates.
   */
  generates: Array<{ name: string, byFunction: boolean }>
}

export const storesRows = ({ kind }: CatalogRelation): boolean => kind !== 'p'

/** An ordinary or a partitioned table: the unit of a snapshot. */
export interface CatalogTable {
  name: string
  columns: CatalogColumn[]
  /** Itself, and all its partitions at every level. */
  relations: CatalogRelation[]
}

/** The sum of the estimates; null if there is none for one of the relations. */
export function estimateRows (tables: CatalogTable[]): number | null {
  const relations = tables.flatMap((table) => table.relations.filter(storesRows))
  return relations.reduce<number | null>((sum, { estimatedRows }) =>
    sum === null || estimatedRows === null ? null : sum + estimatedRows, 0)
}

/** Whether user code generates the column in any relation of the table. */
const generatedByUserCode = `EXISTS (SELECT FROM part
  JOIN pg_attribute stored ON stored.attrelid = part.oid AND stored.attname = a.attname AND stored.attgenerated = 's'
  JOIN pg_attrdef def ON def.adrelid = stored.attrelid AND def.adnum = stored.attnum
  WHERE part.root = a.attrelid AND ${usesUserCode('pg_attrdef', 'def.oid')})`

/**
 * Leaves out columns that functions of PostgreSQL generate (manual, 5.4): they are generated again from the rest of the
 * row.
 */
const columnsQuery = `
  SELECT a.attrelid, json_agg(json_build_object(
    'name', a.attname,
    'type', CASE WHEN starts_with(shown.type, quote_ident(n.nspname) || '.')
      THEN substr(shown.type, length(quote_ident(n.nspname)) + 2) ELSE shown.type END,
    'baseType', base.oid::int8,
    'isEnum', base.typtype = 'e',
    'element', CASE WHEN element.typarray = base.oid THEN json_build_object(
      'type', element.oid::int8, 'baseType', behind.oid::int8, 'isArray', behind.typcategory = 'A',
      'isEnum', behind.typtype = 'e', 'delimiter', element.typdelim) END,
    'required', (a.attnotnull OR resolved.never_null) AND NOT a.atthasdef AND a.attidentity = ''
      AND declared.typdefault IS NULL,
    'generated', a.attgenerated <> ''
  ) ORDER BY a.attnum) AS columns
  FROM pg_attribute a
  JOIN relation r ON r.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = r.relnamespace
  CROSS JOIN LATERAL (SELECT format_type(a.atttypid, a.atttypmod) AS type) shown
  JOIN pg_type declared ON declared.oid = a.atttypid
  JOIN resolved ON resolved.type = a.atttypid
  JOIN pg_type base ON base.oid = resolved.base
  LEFT JOIN pg_type element ON element.oid = base.typelem
  LEFT JOIN resolved resolved_element ON resolved_element.type = element.oid
  LEFT JOIN pg_type behind ON behind.oid = resolved_element.base
  WHERE a.attnum > 0 AND NOT a.attisdropped
    AND (a.attgenerated = '' OR (a.attgenerated = 's' AND ${generatedByUserCode}))
  GROUP BY a.attrelid`

/** Functions and operators of the server are pinned and have no entry in pg_depend, so those found here are others. */
const generatedByPartition = `
  SELECT json_agg(json_build_object('name', a.attname, 'byFunction', EXISTS (SELECT FROM pg_attrdef ad
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
      AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    WHERE ad.adrelid = a.attrelid AND ad.adnum = a.attnum)) ORDER BY a.attnum)
  FROM pg_attribute a
  JOIN pg_attribute above ON above.attrelid = part.root AND above.attname = a.attname AND above.attgenerated = ''
  WHERE c.relispartition AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''`

/**
 * Base types of the columns, domains and elements of arrays. Resolving all types of the database would take too long.
 */
const typesQuery = `chain AS (
    SELECT oid AS type, oid AS base, typtype, typbasetype, typelem, typnotnull FROM pg_type
    WHERE oid IN (SELECT a.atttypid FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid)
    UNION
    SELECT CASE WHEN chain.typtype = 'd' THEN chain.type ELSE t.oid END, t.oid, t.typtype, t.typbasetype, t.typelem,
      t.typnotnull
    FROM chain JOIN pg_type t ON t.oid = CASE WHEN chain.typtype = 'd' THEN chain.typbasetype ELSE chain.typelem END
  ), resolved AS (
    SELECT type, max(base) FILTER (WHERE typtype <> 'd') AS base, bool_or(typnotnull) AS never_null
    FROM chain GROUP BY type
  )`

/** The relations of one table. */
const relationsColumn = `json_agg(json_build_object(
      'oid', c.oid::text, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
      'filenode', nullif(c.relfilenode, 0)::text, 'currentFilenode', pg_relation_filenode(c.oid)::text,
      'owned', pg_has_role(c.relowner, 'USAGE'),
      'estimatedRows', nullif(c.reltuples, -1)::int8,
      'selectable', has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'),
      'reachable', has_schema_privilege(n.oid, 'USAGE'),
      'hidesRows', c.relrowsecurity AND NOT role.sees_all
        AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')),
      'forcesRowSecurity', c.relrowsecurity AND c.relforcerowsecurity,
      'generates', coalesce((${generatedByPartition}), '[]')
    ) ORDER BY part.level, n.nspname, c.relname) AS relations`

/** `relation`: each table of the schema that stores rows, without tables of extensions. `part`: its partitions, too. */
const relationsQuery = (schema: string): string => `relation AS (
    SELECT c.* FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${quoteLiteral(schema)} AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
  ), part AS (
    SELECT oid AS root, oid, 0 AS level FROM relation
    UNION ALL
    SELECT part.root, i.inhrelid, part.level + 1 FROM part
    JOIN pg_inherits i ON i.inhparent = part.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
  )`

const tablesQuery = (schema: string): string => `
  WITH RECURSIVE ${relationsQuery(schema)}, ${typesQuery},
  user_code AS (${userCodeQuery}),
  role AS (SELECT rolsuper OR rolbypassrls AS sees_all FROM pg_roles WHERE rolname = current_user),
  col AS (${columnsQuery}),
  rel AS (
    SELECT part.root, ${relationsColumn}
    FROM part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN role
    GROUP BY part.root
  )
  SELECT r.relname AS name, coalesce(col.columns, '[]') AS columns, rel.relations
  FROM relation r JOIN rel ON rel.root = r.oid LEFT JOIN col ON col.attrelid = r.oid
  ORDER BY r.relname`

/** Every table of `schema` that a snapshot could contain, ordered by name, in one query. */
export async function readTables (tx: Transaction, schema: string): Promise<CatalogTable[]> {
  return await tx.query<CatalogTable>(tablesQuery(schema))
}

/** What a backup has to know of a table to lock it. */
export interface ListedTable {
  name: string
  relations: Array<{
    oid: string
    schema: string
    name: string
    /** It stores rows, or its partitions do, and the role may read it. */
    lockable: boolean
  }>
}

/** The names of the tables that readTables() returns, in another order. Takes a fraction of the time. */
export async function listTables (tx: Transaction, schema: string): Promise<ListedTable[]> {
  return await tx.query<ListedTable>(`WITH RECURSIVE ${relationsQuery(schema)}
    SELECT r.relname AS name, json_agg(json_build_object('oid', c.oid::text, 'schema', n.nspname, 'name', c.relname,
      'lockable', c.relkind <> 'f' AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
      )) AS relations
    FROM part JOIN relation r ON r.oid = part.root JOIN pg_class c ON c.oid = part.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace GROUP BY r.oid, r.relname`)
}
