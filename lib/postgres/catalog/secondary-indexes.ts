import { RestoreFailed } from '../../errors.ts'
import {
  describeWithoutMessage, isDatabaseError, isLockTimeout, isUnavailable, publicCause
} from '../database-error.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral, type TableRef } from '../identifiers.ts'
import { runInChunks } from '../run-statements.ts'
import { setLocal } from '../settings.ts'
import type { Transaction } from '../driver/transaction.ts'
import { userCodeQuery } from './user-code.ts'

/** An index that can be dropped and created again, and is then as before except for its oid and its usage counters. */
export interface SecondaryIndex extends TableRef {
  /** pg_get_indexdef(), which contains neither the tablespace nor anything that the other fields have. */
  definition: string
  /** The empty string for that of the database. */
  tablespace: string
  comment: string | null
  /** In order. A statistics target of null is the default (manual, ALTER INDEX). */
  columns: Array<{ name: string, statistics: number | null }>
}

/**
 * Indexes of ordinary tables (`$1`, oids) that are not those of constraints or partitioned tables and have no mark.
 * Without expressions that contain a whole row (`varattno 0`): pg_depend does not show which columns these read.
 */
const plainIndexes = `
  SELECT i.*, c.relname, c.relnamespace, c.reltablespace
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_am stored ON stored.oid = t.relam AND stored.amname = 'heap'
  WHERE i.indrelid = ANY ($1::oid[]) AND t.relkind = 'r' AND c.relkind = 'i' AND NOT c.relispartition
    AND i.indisvalid AND i.indisready AND i.indislive
    AND NOT (i.indisunique OR i.indisexclusion OR i.indisclustered OR i.indisreplident)
    AND concat(i.indexprs, i.indpred) !~ ':varattno 0 '`

/** Types of the columns of an index, of the columns that it reads, and within them. For WITH RECURSIVE. */
const indexedTypes = `
  SELECT p.indexrelid, a.atttypid FROM plain p JOIN pg_attribute a ON a.attrelid = p.indexrelid
  UNION
  SELECT p.indexrelid, CASE d.refclassid WHEN 'pg_type'::regclass THEN d.refobjid ELSE a.atttypid END
  FROM plain p JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.indexrelid
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    AND d.refclassid = 'pg_class'::regclass
  WHERE d.refclassid = 'pg_type'::regclass OR a.attnum > 0
  UNION
  SELECT used.index, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
  FROM used JOIN pg_type t ON t.oid = used.type
  WHERE t.typtype = 'd' OR t.typsubscript = 'array_subscript_handler'::regproc`

const ofExtension = (className: string, oid: string): string => `EXISTS (SELECT FROM pg_depend e
  WHERE e.classid = '${className}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`

/**
 * The index depends on nothing but columns, types, operator classes and collations: not on a constraint, an extension,
 * or functions and operators other than those of the server, which have no entry in pg_depend. And its types and
 * operator classes run no code other than that of the server and of extensions written in C; values of ranges and
 * composite types are compared by operator classes of the types within them.
 *
 * Other code stays with INSERT, because CREATE INDEX runs it as the owner of the table and, from PostgreSQL 17 on,
 * under another search_path.
 */
const runsKnownCode = `NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = p.indexrelid AND (
      d.refclassid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_opclass'::regclass, 'pg_collation'::regclass)
      OR d.refclassid = 'pg_class'::regclass AND d.refobjid <> p.indrelid))
  AND NOT EXISTS (SELECT FROM used JOIN pg_type t ON t.oid = used.type WHERE used.index = p.indexrelid
    AND NOT (t.typnamespace = 'pg_catalog'::regnamespace OR t.typtype IN ('d', 'e')
      OR t.typsubscript = 'array_subscript_handler'::regproc
      OR t.typtype = 'b' AND ${ofExtension('pg_type', 't.oid')}))
  AND NOT EXISTS (SELECT FROM pg_opclass o
    JOIN (SELECT amprocfamily AS family, 'pg_proc'::regclass AS class, amproc::oid AS oid FROM pg_amproc
      UNION ALL SELECT amopfamily, 'pg_operator'::regclass, amopopr FROM pg_amop) part ON part.family = o.opcfamily
    JOIN user_code ON user_code.class = part.class AND user_code.oid = part.oid
    WHERE o.oid = ANY (p.indclass))`

/** No other object depends on the index, such as a view with its name as a regclass, and it has no security label. */
const isIndependent = `NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = p.indexrelid)
  AND NOT EXISTS (SELECT FROM pg_seclabel s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = p.indexrelid)`

/**
 * CREATE INDEX requires these privileges, also on the schemas that the definition may name. A limit of temporary files
 * could make it fail where an INSERT does not. An event trigger would fire, and could reject it.
 */
const mayBeCreated = `has_schema_privilege(p.relnamespace, 'CREATE')
  AND (p.reltablespace = 0 OR has_tablespace_privilege(p.reltablespace, 'CREATE'))
  AND NOT EXISTS (SELECT FROM (
      SELECT o.opcnamespace AS schema FROM pg_opclass o WHERE o.oid = ANY (p.indclass)
      UNION ALL SELECT l.collnamespace FROM pg_collation l WHERE l.oid = ANY (p.indcollation)
      UNION ALL SELECT t.typnamespace FROM used JOIN pg_type t ON t.oid = used.type WHERE used.index = p.indexrelid
    ) named WHERE NOT has_schema_privilege(named.schema, 'USAGE'))
  AND current_setting('temp_file_limit') = '-1'
  AND NOT EXISTS (SELECT FROM pg_event_trigger
    WHERE evtenabled <> 'D' AND evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop'))`

/**
 * The indexes of `relations` (oids) that can be rebuilt, in the order in which they must be created: of two equally
 * good ones the planner prefers the older one. What could go wrong is left out: unique indexes, to which foreign keys
 * and ON CONFLICT may refer, those of constraints and partitioned tables, those that run code of users, and all if the
 * role may not create them.
 *
 * The indexes must be locked, as they are after TRUNCATE: another session could rename or alter one without a lock on
 * its table.
 */
export async function readSecondaryIndexes (tx: Transaction, relations: string[]): Promise<SecondaryIndex[]> {
  return await tx.query<SecondaryIndex>(`
    WITH RECURSIVE user_code AS (${userCodeQuery}), plain AS (${plainIndexes}), used (index, type) AS (${indexedTypes})
    SELECT n.nspname AS schema, p.relname AS name, pg_get_indexdef(p.indexrelid) AS definition,
      coalesce(s.spcname, '') AS tablespace, obj_description(p.indexrelid, 'pg_class') AS comment,
      (SELECT json_agg(json_build_object('name', a.attname, 'statistics', nullif(a.attstattarget, -1))
        ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = p.indexrelid) AS columns
    FROM plain p JOIN pg_namespace n ON n.oid = p.relnamespace
    LEFT JOIN pg_tablespace s ON s.oid = p.reltablespace
    WHERE ${isIndependent} AND ${mayBeCreated} AND ${runsKnownCode}
    ORDER BY p.indrelid, p.indexrelid`, [`{${relations.join(',')}}`])
}

const nameOf = ({ schema, name }: SecondaryIndex): string => qualifiedName(schema, name)

export async function dropIndexes (tx: Transaction, indexes: SecondaryIndex[]): Promise<void> {
  if (indexes.length > 0) await tx.run(`DROP INDEX ${indexes.map(nameOf).join(', ')} RESTRICT`)
}

/**
 * Creates them, each in a round trip, so that an error names the index. Their definitions need a search_path with
 * pg_catalog first, and no table may have pending trigger events.
 */
export async function createIndexes (tx: Transaction, indexes: SecondaryIndex[]): Promise<void> {
  for (const index of indexes) {
    try {
      await tx.run(createStatements(index))
    } catch (error) {
      throw whileCreating(index, error)
    }
  }
  await tx.run('SET LOCAL default_tablespace TO DEFAULT')
}

function createStatements (index: SecondaryIndex): string {
  const name = nameOf(index)
  return [
    `${setLocal('default_tablespace', index.tablespace)}${index.definition}`,
    ...index.comment === null ? [] : [`COMMENT ON INDEX ${name} IS ${quoteLiteral(index.comment)}`],
    ...index.columns.flatMap(({ statistics }, place) => statistics === null
      ? []
      : [`ALTER INDEX ${name} ALTER COLUMN ${place + 1} SET STATISTICS ${statistics}`])
  ].join(';')
}

function whileCreating ({ schema, name }: SecondaryIndex, error: unknown): unknown {
  if (!isDatabaseError(error) || isUnavailable(error) || isLockTimeout(error)) return error
  const described = `${describeWithoutMessage(error)}, when the index ${schema}.${name} was created again`
  return Object.assign(new RestoreFailed(described), { cause: publicCause(error) })
}

/** The columns of an index keep their names when those of the table are renamed, so they may differ from new ones. */
export async function renameIndexColumns (tx: Transaction, indexes: SecondaryIndex[]): Promise<void> {
  const wanted = indexes.flatMap((index) =>
    index.columns.map(({ name }, place) => ({ index: nameOf(index), place: place + 1, name })))
  const renamed = await tx.query<{ index: string, place: number, now: string, name: string }>(`
    SELECT wanted.index, wanted.place, a.attname AS now, wanted.name
    FROM json_to_recordset($1::text::json) AS wanted (index text, place int, name text)
    JOIN pg_attribute a ON a.attrelid = wanted.index::regclass AND a.attnum = wanted.place
      AND a.attname <> wanted.name`,
  [JSON.stringify(wanted)])
  const rename = (index: string, from: string, to: string): string =>
    `ALTER TABLE ${index} RENAME COLUMN ${quoteIdentifier(from)} TO ${quoteIdentifier(to)}`
  // Two columns may exchange their names
  const between = (place: number): string => `renamed by fastify-backup ${place}`
  await runInChunks(tx, [
    ...renamed.map(({ index, place, now }) => rename(index, now, between(place))),
    ...renamed.map(({ index, place, name }) => rename(index, between(place), name))
  ])
}
