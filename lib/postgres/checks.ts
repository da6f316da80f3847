import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifiers.ts'
import type { Lockable } from './locks.ts'
import type { Transaction } from './transaction.ts'

/**
 * A CHECK (or, from PostgreSQL 18, NOT NULL) constraint that is NOT VALID: rows may violate it that were there before it. COPY would
 * enforce it on them, so it goes while they come back. A NOT ENFORCED one never does.
 *
 * Tables that inherit it have constraints of their own, which may be valid, have a comment, or stay when the parent's goes.
 */
export interface UnvalidatedCheck {
  name: string
  /** Of a table, or of a domain that a column has. */
  of: 'TABLE' | 'DOMAIN'
  on: Lockable & { oid: string, owned: boolean }
  definition: string
  comment: string | null
  /** To be dropped and made again by itself; the others follow those of their parents. */
  declared: boolean
  validated: boolean
}

/** NOT VALID ones of `relations` (oids), and what belongs to them further up and down the inheritance; parents first. */
export async function readUnvalidatedChecks (tx: Transaction, relations: string[]): Promise<UnvalidatedCheck[]> {
  return await tx.query<UnvalidatedCheck>(`
    WITH RECURSIVE shaped AS (
      -- A CHECK is inherited by its name, a NOT NULL by its column's
      SELECT con.*, CASE con.contype WHEN 'n' THEN a.attname ELSE con.conname END AS subject, pg_get_constraintdef(con.oid) AS definition
      FROM pg_constraint con LEFT JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = con.conkey[1]
      WHERE con.conrelid <> 0 AND con.contype IN ('c', 'n')
    ), family AS (
      SELECT oid, conrelid, contype, subject FROM shaped
      WHERE conrelid = ANY ($1::text::oid[]) AND NOT convalidated AND definition !~ 'NOT ENFORCED$'
      UNION
      SELECT other.oid, other.conrelid, other.contype, other.subject FROM family
      JOIN pg_inherits i ON family.conrelid IN (i.inhrelid, i.inhparent)
      JOIN shaped other ON other.conrelid IN (i.inhrelid, i.inhparent) AND other.contype = family.contype AND other.subject = family.subject
      JOIN shaped child ON child.conrelid = i.inhrelid AND child.contype = family.contype AND child.subject = family.subject AND child.coninhcount > 0
    ), up AS (
      SELECT conrelid AS relation, conrelid AS ancestor, 0 AS distance FROM family
      UNION SELECT up.relation, i.inhparent, up.distance + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.ancestor
    ), used (type) AS (
      SELECT atttypid FROM pg_attribute WHERE attrelid = ANY ($1::text::oid[]) AND attnum > 0 AND NOT attisdropped
      UNION
      SELECT part.type FROM used JOIN pg_type t ON t.oid = used.type LEFT JOIN pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid)
      CROSS JOIN LATERAL (SELECT unnest(ARRAY[t.typbasetype, t.typelem, r.rngsubtype]) AS type
        UNION SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) part
      WHERE part.type <> 0
    ), found AS (
      SELECT s.conname AS name, 'TABLE' AS of, c.oid, n.nspname AS schema, c.relname, c.relowner AS owner, s.oid AS con, s.definition, s.convalidated AS validated,
        NOT s.convalidated AND (s.coninhcount = 0 OR s.conislocal) AS declared,
        (SELECT max(distance) FROM up WHERE up.relation = s.conrelid) AS depth
      FROM family JOIN shaped s ON s.oid = family.oid JOIN pg_class c ON c.oid = s.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      UNION ALL
      SELECT con.conname, 'DOMAIN', t.oid, n.nspname, t.typname, t.typowner, con.oid, pg_get_constraintdef(con.oid), con.convalidated, true, 0
      FROM pg_constraint con JOIN pg_type t ON t.oid = con.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE con.contypid IN (SELECT type FROM used) AND NOT con.convalidated
    )
    SELECT name, of, json_build_object('oid', oid::text, 'schema', schema, 'name', relname, 'owned', pg_has_role(owner, 'USAGE')) AS on,
      definition, obj_description(con, 'pg_constraint') AS comment, declared, validated
    FROM found ORDER BY of, depth, schema, relname, name`, [`{${relations.join(',')}}`])
}

const targetOf = ({ of, on }: UnvalidatedCheck): string => `${of} ${qualifiedName(on.schema, on.name)}`

/** Parents first: as long as a child's is inherited, it can't be dropped. */
export async function dropChecks (tx: Transaction, checks: UnvalidatedCheck[]): Promise<void> {
  for (const check of checks.filter(({ declared }) => declared)) {
    await tx.run(`ALTER ${targetOf(check)} DROP CONSTRAINT ${quoteIdentifier(check.name)}`)
  }
}

/** Children first: a parent's merges with them. A definition ends with NOT VALID, so that no row is looked at. */
export async function addChecks (tx: Transaction, checks: UnvalidatedCheck[]): Promise<void> {
  for (const check of checks.filter(({ declared }) => declared).reverse()) {
    await tx.run(`ALTER ${targetOf(check)} ADD CONSTRAINT ${quoteIdentifier(check.name)} ${check.definition}`)
  }
  for (const { name, of, on, comment } of checks) {
    if (comment === null) continue
    await tx.run(`COMMENT ON CONSTRAINT ${quoteIdentifier(name)} ON ${of === 'DOMAIN' ? 'DOMAIN ' : ''}${qualifiedName(on.schema, on.name)} IS ${quoteLiteral(comment)}`)
  }
}

/** Of those that came back with their parents' NOT VALID one. Each may call functions, so it wants the role's own search_path. */
export async function validateChecks (tx: Transaction, checks: UnvalidatedCheck[]): Promise<void> {
  for (const check of checks.filter(({ validated }) => validated)) {
    await tx.run(`ALTER ${targetOf(check)} VALIDATE CONSTRAINT ${quoteIdentifier(check.name)}`)
  }
}
