import { qualifiedName, quoteLiteral } from './identifiers.ts'
import type { Transaction } from './transaction.ts'

export interface CatalogSequence {
  oid: string
  schema: string
  name: string
  /** `table.column` that owns it (serial, identity, OWNED BY), or null. */
  ownedBy: string | null
  /** Whether one of the given tables owns it or takes a default from it. */
  used: boolean
  readable: boolean
  owned: boolean
  increment: string
}

export interface SequenceState { lastValue: string, isCalled: boolean }

export type StoredSequence = Pick<CatalogSequence, 'schema' | 'name' | 'ownedBy'> & SequenceState

/**
 * The sequences that belong to `relations` (oids of tables and their partitions), by ownership or by a column's default,
 * and besides them those of `schema` that belong to no table at all.
 */
export async function readSequences (tx: Transaction, schema: string, relations: string[]): Promise<CatalogSequence[]> {
  return await tx.query<CatalogSequence>(`
    WITH owner AS (
      SELECT d.objid AS sequence, d.refobjid AS relation, c.relname || '.' || a.attname AS column_name
      FROM pg_depend d
      JOIN pg_class c ON c.oid = d.refobjid
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    ), defaulted AS (
      SELECT DISTINCT d.refobjid AS sequence
      FROM pg_attrdef ad
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid AND d.refclassid = 'pg_class'::regclass
      WHERE ad.adrelid = ANY ($1::text::oid[])
    )
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, owner.column_name AS "ownedBy",
      coalesce(owner.relation = ANY ($1::text::oid[]), false) OR defaulted.sequence IS NOT NULL AS used,
      has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
      pg_has_role(c.relowner, 'USAGE') AS owned,
      s.seqincrement::text AS increment
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_sequence s ON s.seqrelid = c.oid
    LEFT JOIN owner ON owner.sequence = c.oid
    LEFT JOIN defaulted ON defaulted.sequence = c.oid
    WHERE c.relpersistence <> 't' AND (owner.relation = ANY ($1::text::oid[]) OR defaulted.sequence IS NOT NULL
      OR (owner.sequence IS NULL AND n.nspname = $2::text
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')))
    ORDER BY n.nspname, c.relname`, [`{${relations.join(',')}}`, schema])
}

/** Their states; one query for all. */
export async function readSequenceStates (tx: Transaction, sequences: CatalogSequence[]): Promise<StoredSequence[]> {
  if (sequences.length === 0) return []
  const text = (value: string | null): string => value === null ? 'NULL::text' : `${quoteLiteral(value)}::text`
  return await tx.query<StoredSequence>(`SELECT schema, name, "ownedBy", "lastValue", "isCalled" FROM (${sequences.map(({ schema, name, ownedBy }, place) =>
    `SELECT ${place} AS place, ${text(schema)} AS schema, ${text(name)} AS name, ${text(ownedBy)} AS "ownedBy",
      last_value::text AS "lastValue", is_called AS "isCalled" FROM ${qualifiedName(schema, name)}`).join(' UNION ALL ')}) s ORDER BY place`)
}

/**
 * Blocks nextval() in all other sessions until the transaction ends, and gives each sequence a new file: only then does setval()
 * roll back with the rest. Setting the increment to what it is changes nothing else.
 */
export async function holdSequences (tx: Transaction, sequences: CatalogSequence[]): Promise<void> {
  const statements = sequences.map(({ schema, name, increment }) => `ALTER SEQUENCE ${qualifiedName(schema, name)} INCREMENT BY ${increment};`)
  if (statements.length > 0) await tx.run(statements.join(''))
}

/** setval() with its third argument; ALTER SEQUENCE … RESTART can't bring `is_called` back. */
export async function setSequence (tx: Transaction, { schema, name }: CatalogSequence, { lastValue, isCalled }: SequenceState): Promise<void> {
  await tx.query(`SELECT setval(${quoteLiteral(qualifiedName(schema, name))}::regclass, ${lastValue}, ${isCalled})`)
}
