import { qualifiedName, quoteLiteral } from '../identifiers.ts'
import type { Transaction } from '../driver/transaction.ts'

export interface CatalogSequence {
  oid: string
  schema: string
  name: string
  /** `table.column` that owns it (serial, identity, OWNED BY), or null. */
  ownedBy: string | null
  /** The schema of that table. */
  ownerSchema: string | null
  /** Whether one of the given tables owns it, or uses it in a default of a column or of a domain. */
  used: boolean
  /** Whether another object in the catalog owns or uses it. */
  shared: boolean
  readable: boolean
  /** Whether the role has the USAGE privilege on the schema. Without it, the sequence is not readable. */
  reachable: boolean
  owned: boolean
  increment: string
  /** MINVALUE and MAXVALUE. */
  range: { least: string, most: string }
}

export interface SequenceState { lastValue: string, isCalled: boolean }

export type StoredSequence =
  Pick<CatalogSequence, 'oid' | 'schema' | 'name' | 'ownedBy' | 'ownerSchema'> & SequenceState

/**
 * Whether a sequence is used by one of the tables (`$1`) or by another object. Candidates include all sequences of the
 * schema (`$2`).
 */
const usageQuery = `
    WITH RECURSIVE typed (type) AS (
      SELECT atttypid FROM pg_attribute
      WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped AND NOT atthasdef
      UNION SELECT t.typbasetype FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
    ), candidate (oid) AS (
      SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        AND refobjid = ANY ($1::oid[]) AND deptype IN ('a', 'i')
      UNION SELECT d.refobjid FROM pg_attrdef ad
        JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
        WHERE ad.adrelid = ANY ($1::oid[]) AND d.refclassid = 'pg_class'::regclass
      UNION SELECT d.refobjid FROM typed JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = typed.type
        WHERE d.refclassid = 'pg_class'::regclass
      UNION SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND n.nspname = $2::text
    ), drawing_type (sequence, type) AS (
      SELECT s.oid, d.objid FROM candidate s
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
        WHERE d.classid = 'pg_type'::regclass
      UNION SELECT drawing_type.sequence, t.oid FROM drawing_type
        JOIN pg_type t ON t.typbasetype = drawing_type.type AND t.typtype = 'd'
    ), use (sequence, relation) AS (
      SELECT s.oid, ad.adrelid FROM candidate s
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
        JOIN pg_attrdef ad ON d.classid = 'pg_attrdef'::regclass AND ad.oid = d.objid
      UNION SELECT drawing_type.sequence, a.attrelid FROM drawing_type
        JOIN pg_attribute a ON a.atttypid = drawing_type.type AND a.attnum > 0
          AND NOT a.attisdropped AND NOT a.atthasdef
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f')
      UNION SELECT s.oid, owner.refobjid FROM candidate s
        JOIN pg_depend owner ON owner.classid = 'pg_class'::regclass AND owner.objid = s.oid
        WHERE owner.refclassid = 'pg_class'::regclass AND owner.deptype IN ('a', 'i')
      -- Views, functions, policies and similar objects
      UNION SELECT s.oid, NULL FROM candidate s
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
        WHERE d.classid NOT IN ('pg_attrdef'::regclass, 'pg_type'::regclass, 'pg_class'::regclass)
    ), used AS (
      SELECT sequence, bool_or(coalesce(relation = ANY ($1::oid[]), false)) AS inside,
        bool_or(relation IS NULL OR relation <> ALL ($1::oid[])) AS outside FROM use GROUP BY sequence
    )`

/**
 * The sequences that `relations` (oids of tables and their partitions) own or use, and those of `schema` that no table
 * of it owns, but a view, for example, or no object: a trigger or the application may use them, which the catalog does
 * not show.
 */
export async function readSequences (
  tx: Transaction, schema: string, relations: string[]
): Promise<CatalogSequence[]> {
  return await tx.query<CatalogSequence>(`${usageQuery}
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name,
      owner.column_name AS "ownedBy", owner.schema AS "ownerSchema",
      coalesce(used.inside, false) AS used, coalesce(used.outside, false) AS shared,
      has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
      has_schema_privilege(n.oid, 'USAGE') AS reachable,
      pg_has_role(c.relowner, 'USAGE') AS owned, s.seqincrement::text AS increment,
      json_build_object('least', s.seqmin::text, 'most', s.seqmax::text) AS range
    FROM candidate JOIN pg_sequence s ON s.seqrelid = candidate.oid
    JOIN pg_class c ON c.oid = candidate.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
      SELECT nt.nspname AS schema, t.relkind AS kind, t.relname || '.' || a.attname AS column_name
      FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace nt ON nt.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i')) owner ON true
    LEFT JOIN used ON used.sequence = c.oid
    WHERE c.relpersistence <> 't' AND (used.inside OR (n.nspname = $2::text
      AND (owner.schema IS DISTINCT FROM $2::text OR owner.kind IN ('v', 'f'))
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')))
    ORDER BY n.nspname, c.relname`, [`{${relations.join(',')}}`, schema])
}

/** The states of the sequences, in the same order, in one query. */
export async function readSequenceStates (tx: Transaction, sequences: CatalogSequence[]): Promise<StoredSequence[]> {
  if (sequences.length === 0) return []
  const selects = sequences.map(({ schema, name }, index) => `SELECT ${index} AS index, last_value::text AS "lastValue",
    is_called AS "isCalled" FROM ${qualifiedName(schema, name)}`)
  const states = await tx.query<SequenceState>(`SELECT "lastValue", "isCalled"
    FROM (${selects.join(' UNION ALL ')}) s ORDER BY index`)
  return states.map((state, index) => ({ ...sequences[index] as CatalogSequence, ...state }))
}

/**
 * Blocks nextval() in all other sessions until the transaction ends, and makes the server create a new file for each
 * sequence: without that, setval() would not be rolled back. Setting the increment to its value has no other effect.
 */
export async function lockSequences (tx: Transaction, sequences: CatalogSequence[]): Promise<void> {
  const statements = sequences.map(({ schema, name, increment }) =>
    `ALTER SEQUENCE ${qualifiedName(schema, name)} INCREMENT BY ${increment};`)
  if (statements.length > 0) await tx.run(statements.join(''))
}

/**
 * Sets the states of all sequences in one query, by setval(): ALTER SEQUENCE … RESTART cannot set `is_called` to true.
 */
export async function setSequences (
  tx: Transaction, changes: Array<{ sequence: CatalogSequence, state: SequenceState }>
): Promise<void> {
  if (changes.length === 0) return
  const selects = changes.map(({ sequence: { schema, name }, state: { lastValue, isCalled } }) =>
    `SELECT setval(${quoteLiteral(qualifiedName(schema, name))}::regclass, ${lastValue}, ${isCalled})`)
  await tx.query(selects.join(' UNION ALL '))
}
