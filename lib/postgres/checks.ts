import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifiers.ts'
import type { Lockable } from './locks.ts'
import type { Transaction } from './transaction.ts'

/** A CHECK (or, from PostgreSQL 18, NOT NULL) constraint that is NOT VALID: rows may violate it that were there before it. */
export interface UnvalidatedCheck {
  name: string
  table: Lockable
  definition: string
  comment: string | null
  /** Descendants whose own copy of it is valid. */
  validIn: Lockable[]
}

/** Those that stand in the way of COPY, which would enforce them on rows that were exempt. A NOT ENFORCED one never does. */
export async function readUnvalidatedChecks (tx: Transaction, relations: string[]): Promise<UnvalidatedCheck[]> {
  return await tx.query<UnvalidatedCheck>(`
    SELECT con.conname AS name, json_build_object('schema', n.nspname, 'name', c.relname) AS table,
      pg_get_constraintdef(con.oid) AS definition, obj_description(con.oid, 'pg_constraint') AS comment,
      coalesce((
        WITH RECURSIVE below AS (
          SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid
          UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.inhrelid)
        SELECT json_agg(json_build_object('schema', kn.nspname, 'name', k.relname) ORDER BY kn.nspname, k.relname)
        FROM below JOIN pg_class k ON k.oid = below.inhrelid JOIN pg_namespace kn ON kn.oid = k.relnamespace
        JOIN pg_constraint own ON own.conrelid = k.oid AND own.conname = con.conname AND own.contype = con.contype AND own.convalidated
      ), '[]') AS "validIn"
    FROM pg_constraint con
    JOIN pg_class c ON c.oid = con.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE con.conrelid = ANY ($1::text::oid[]) AND con.contype IN ('c', 'n') AND NOT con.convalidated AND con.coninhcount = 0
      AND pg_get_constraintdef(con.oid) !~ 'NOT ENFORCED$'
    ORDER BY n.nspname, c.relname, con.conname`, [`{${relations.join(',')}}`])
}

export async function dropChecks (tx: Transaction, checks: UnvalidatedCheck[]): Promise<void> {
  for (const { name, table } of checks) {
    await tx.run(`ALTER TABLE ${qualifiedName(table.schema, table.name)} DROP CONSTRAINT ${quoteIdentifier(name)}`)
  }
}

/** The definition ends with NOT VALID, so no row is looked at, but for those of descendants that were valid. */
export async function addChecks (tx: Transaction, checks: UnvalidatedCheck[]): Promise<void> {
  for (const { name, table, definition, comment, validIn } of checks) {
    const target = qualifiedName(table.schema, table.name)
    const constraint = quoteIdentifier(name)
    await tx.run(`ALTER TABLE ${target} ADD CONSTRAINT ${constraint} ${definition}`)
    for (const child of validIn) await tx.run(`ALTER TABLE ${qualifiedName(child.schema, child.name)} VALIDATE CONSTRAINT ${constraint}`)
    if (comment !== null) await tx.run(`COMMENT ON CONSTRAINT ${constraint} ON ${target} IS ${quoteLiteral(comment)}`)
  }
}
