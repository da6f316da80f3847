import { RestoreFailed } from '../../errors.ts'
import { checkViolation, isDatabaseError, isLockTimeout, isUnavailable, sqlState } from '../database-error.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral, type TableRef } from '../identifiers.ts'
import { runAll, runInChunks } from '../run-statements.ts'
import type { Transaction } from '../driver/transaction.ts'
import { userCodeQuery, usesUserCode } from './user-code.ts'

/**
 * A constraint that is dropped while rows are restored:
 *
 * - A CHECK (or, from PostgreSQL 18, NOT NULL) that is NOT VALID: rows that are older than it may violate it, and COPY
 *   would enforce it on them. COPY does not enforce a NOT ENFORCED one.
 * - A CHECK that runs user code: it may read tables whose rows are not restored yet. It is added again as NOT VALID and
 *   validated after all rows are restored. It stays when the role does not own its domain or inheritance parent, or
 *   when columns contain its domain within an array or another type: it could not be validated.
 *
 * Tables that inherit it have separate constraints, which may be valid, have a comment, or stay when the parent's is
 * dropped.
 */
export interface SuspendedCheck {
  name: string
  /** A table, or a domain that is the type of a column. */
  of: 'TABLE' | 'DOMAIN'
  on: TableRef & { oid: string, owned: boolean }
  definition: string
  comment: string | null
  /** Must be dropped and added by a statement; the others follow those of their parents. */
  declared: boolean
  validated: boolean
}

/**
 * Constraints of tables (`$1`, oids), and those that are inherited from them or that they inherit. For WITH RECURSIVE,
 * with user_code.
 */
const tableConstraints = `shaped AS (
      -- A CHECK is inherited by its name, a NOT NULL by its column's
      SELECT con.*, CASE con.contype WHEN 'n' THEN a.attname ELSE con.conname END AS subject,
        pg_get_constraintdef(con.oid) || CASE WHEN con.convalidated THEN ' NOT VALID' ELSE '' END AS definition,
        con.contype = 'c' AND ${usesUserCode('pg_constraint', 'con.oid')} AS runs_user_code
      FROM pg_constraint con LEFT JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = con.conkey[1]
      WHERE con.conrelid <> 0 AND con.contype IN ('c', 'n')
    ), family AS (
      SELECT oid, conrelid, contype, subject FROM shaped
      WHERE conrelid = ANY ($1::oid[]) AND definition !~ 'NOT ENFORCED( NOT VALID)?$'
        AND (runs_user_code OR NOT convalidated)
      UNION
      SELECT other.oid, other.conrelid, other.contype, other.subject FROM family
      JOIN pg_inherits i ON family.conrelid IN (i.inhrelid, i.inhparent)
      JOIN shaped other ON other.conrelid IN (i.inhrelid, i.inhparent) AND other.contype = family.contype
        AND other.subject = family.subject
      JOIN shaped child ON child.conrelid = i.inhrelid AND child.contype = family.contype
        AND child.subject = family.subject AND child.coninhcount > 0
    ), up AS (
      SELECT conrelid AS relation, conrelid AS ancestor, 0 AS distance FROM family
      UNION SELECT up.relation, i.inhparent, up.distance + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.ancestor
    )`

/**
 * Types of columns of the tables with the types within them, and domains with user code that columns contain within
 * another type.
 */
const usedTypes = `used (type) AS (
      SELECT atttypid FROM pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
      UNION
      SELECT part.type FROM used JOIN pg_type t ON t.oid = used.type
      LEFT JOIN pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid)
      CROSS JOIN LATERAL (SELECT unnest(ARRAY[t.typbasetype, t.typelem, r.rngsubtype]) AS type
        UNION SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) part
      WHERE part.type <> 0
    ), container (domain, type, within) AS (
      SELECT oid, oid, false FROM user_code WHERE class = 'pg_type'::regclass AND oid IN (SELECT type FROM used)
      UNION
      -- Not one join with OR, which would read pg_attribute once for each type of the database
      SELECT container.domain, next.type, within OR next.typtype <> 'd' FROM container CROSS JOIN LATERAL (
        SELECT t.oid AS type, t.typtype FROM pg_type t WHERE container.type IN (t.typbasetype, t.typelem)
        UNION ALL SELECT t.oid, t.typtype FROM pg_range r JOIN pg_type t ON t.oid IN (r.rngtypid, r.rngmultitypid)
          WHERE r.rngsubtype = container.type
        UNION ALL SELECT t.oid, t.typtype FROM pg_attribute a JOIN pg_type t ON t.typrelid = a.attrelid
          WHERE a.atttypid = container.type AND NOT a.attisdropped) next
    ), fixed AS (
      SELECT domain FROM container JOIN pg_attribute a ON a.atttypid = container.type AND NOT a.attisdropped
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'p') WHERE within
    )`

/** Constraints of `relations` (oids), and those that are inherited from them or that they inherit; parents first. */
export async function readSuspendedChecks (tx: Transaction, relations: string[]): Promise<SuspendedCheck[]> {
  return await tx.query<SuspendedCheck>(`
    WITH RECURSIVE user_code AS (${userCodeQuery}), ${tableConstraints}, ${usedTypes}, found AS (
      SELECT s.conname AS name, 'TABLE' AS of, c.oid, n.nspname AS schema, c.relname, c.relowner AS owner,
        s.oid AS con, s.definition, s.convalidated AS validated,
        (runs_user_code OR NOT s.convalidated) AND (s.coninhcount = 0 OR s.conislocal) AS declared,
        NOT runs_user_code OR NOT s.convalidated OR bool_and(pg_has_role(c.relowner, 'USAGE'))
          OVER (PARTITION BY s.conname) AS is_dropped,
        (SELECT max(distance) FROM up WHERE up.relation = s.conrelid) AS depth
      FROM family JOIN shaped s ON s.oid = family.oid
      JOIN pg_class c ON c.oid = s.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      UNION ALL
      SELECT con.conname, 'DOMAIN', t.oid, n.nspname, t.typname, t.typowner, con.oid,
        pg_get_constraintdef(con.oid) || CASE WHEN con.convalidated THEN ' NOT VALID' ELSE '' END,
          con.convalidated, true,
        NOT con.convalidated OR pg_has_role(t.typowner, 'USAGE') AND t.oid NOT IN (SELECT domain FROM fixed), 0
      FROM pg_constraint con JOIN pg_type t ON t.oid = con.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE con.contypid IN (SELECT type FROM used)
        AND (NOT con.convalidated OR con.contype = 'c' AND ${usesUserCode('pg_constraint', 'con.oid')})
    )
    SELECT name, of, json_build_object(
        'oid', oid::text, 'schema', schema, 'name', relname, 'owned', pg_has_role(owner, 'USAGE')) AS on,
      definition, obj_description(con, 'pg_constraint') AS comment, declared, validated
    FROM found WHERE is_dropped ORDER BY of, depth, schema, relname, name`, [`{${relations.join(',')}}`])
}

const targetOf = ({ of, on }: SuspendedCheck): string => `${of} ${qualifiedName(on.schema, on.name)}`

/** Drops those of parents first: a constraint cannot be dropped while it is inherited. */
export async function dropChecks (tx: Transaction, checks: SuspendedCheck[]): Promise<void> {
  await runInChunks(tx, checks.filter(({ declared }) => declared)
    .map((check) => `ALTER ${targetOf(check)} DROP CONSTRAINT ${quoteIdentifier(check.name)}`))
}

/**
 * Adds those of children first: a parent's merges with them. Definitions end with NOT VALID, so that no row is read.
 */
export async function addChecks (tx: Transaction, checks: SuspendedCheck[]): Promise<void> {
  await runInChunks(tx, [
    ...checks.filter(({ declared }) => declared).reverse()
      .map((check) => `ALTER ${targetOf(check)} ADD CONSTRAINT ${quoteIdentifier(check.name)} ${check.definition}`),
    ...checks.flatMap(addComment)
  ])
}

function addComment ({ name, of, on, comment }: SuspendedCheck): string[] {
  if (comment === null) return []
  const target = `${of === 'DOMAIN' ? 'DOMAIN ' : ''}${qualifiedName(on.schema, on.name)}`
  return [`COMMENT ON CONSTRAINT ${quoteIdentifier(name)} ON ${target} IS ${quoteLiteral(comment)}`]
}

/**
 * Validates those that were valid. Must run under the role's own search_path, because a CHECK may call functions.
 * Throws FST_BACKUP_RESTORE_FAILED with the constraint that rows violate.
 */
export async function validateChecks (tx: Transaction, checks: SuspendedCheck[]): Promise<void> {
  await runAll(tx, checks.filter(({ validated }) => validated),
    (check) => `ALTER ${targetOf(check)} VALIDATE CONSTRAINT ${quoteIdentifier(check.name)}`, {
      concerns: (error) => isDatabaseError(error) && !isUnavailable(error) && !isLockTimeout(error),
      explain: async (check, error) => invalid(check, error)
    })
}

function invalid ({ name, of, on }: SuspendedCheck, error: unknown): Error {
  const state = sqlState(error)
  return new RestoreFailed(`SQLSTATE ${state}, ${of.toLowerCase()} ${on.schema}.${on.name}, constraint ${name}` +
    (state === checkViolation ? ': rows of the snapshot would violate it' : ''))
}
