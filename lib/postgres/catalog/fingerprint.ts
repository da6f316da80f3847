import { rootKeysQuery } from './foreign-keys.ts'
import type { Transaction } from '../driver/transaction.ts'

/** Objects that a restore could change, as oids. The relations are tables and sequences. */
export interface Fingerprinted {
  relations: string[]
  domains: string[]
  /** The relations whose rows are replaced. */
  restored: string[]
}

/** Tables, columns and sequences. */
const tableLines = `
  SELECT concat_ws(' | ', 'relation', shown, relkind, relpersistence, relowner::regrole, relacl,
    relrowsecurity, relforcerowsecurity, relreplident, reloptions, reltablespace,
    obj_description(oid, 'pg_class')) AS line FROM relation
  UNION ALL
  SELECT concat_ws(' | ', 'column', r.shown, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.attidentity, a.attgenerated, a.attstorage, a.attacl, a.attislocal, a.attinhcount,
    pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
  UNION ALL
  SELECT concat_ws(' | ', 'sequence', r.shown, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin,
    s.seqmax, s.seqcache, s.seqcycle)
  FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid`

/**
 * Constraints. The keys that the server makes for each referenced partition are left out, because it chooses their
 * names. `conislocal` and `connoinherit` of a foreign key depend on how it was made, and have no meaning.
 */
const constraintLines = `
  SELECT concat_ws(' | ', 'constraint', r.shown, con.conname, pg_get_constraintdef(con.oid), con.convalidated,
    con.coninhcount, CASE con.contype WHEN 'f' THEN concat_ws(' of ', up.conname, up.conrelid::regclass)
      ELSE concat(con.conislocal, con.connoinherit) END,
    CASE con.contype WHEN 'f' THEN con.conindid::regclass END, obj_description(con.oid, 'pg_constraint'))
  FROM relation r JOIN pg_constraint con ON con.conrelid = r.oid
  LEFT JOIN pg_constraint up ON up.oid = con.conparentid
  WHERE up.oid IS NULL OR up.conrelid <> con.conrelid
  UNION ALL
  SELECT concat_ws(' | ', 'referenced by', r.shown, con.conrelid::regclass, con.conname, con.convalidated)
  FROM relation r JOIN pg_constraint con ON con.confrelid = r.oid AND con.contype = 'f' AND con.conparentid = 0
  UNION ALL
  -- Actions fire in the order of the triggers' names. Keys with no end in a restored table keep their triggers
  SELECT concat_ws(' | ', 'order of keys', r.shown, t.tgtype,
    string_agg(concat_ws(' of ', top.conname, top.conrelid::regclass), ', ' ORDER BY t.tgname))
  FROM relation r
  JOIN pg_trigger t ON t.tgrelid = r.oid AND t.tgisinternal AND starts_with(t.tgname, 'RI_ConstraintTrigger_a_')
  JOIN root ON root.key = t.tgconstraint AND root.above = 0 JOIN pg_constraint top ON top.oid = root.top
  JOIN pg_constraint con ON con.oid = t.tgconstraint
    AND (con.conrelid = ANY ($3::oid[]) OR con.confrelid = ANY ($3::oid[]))
  GROUP BY r.shown, t.tgtype
  UNION ALL
  SELECT concat_ws(' | ', 'domain constraint', con.contypid::regtype, con.conname,
    pg_get_constraintdef(con.oid), con.convalidated, obj_description(con.oid, 'pg_constraint'))
  FROM pg_constraint con WHERE con.contypid = ANY ($2::oid[])`

/**
 * Indexes, triggers, policies and rules. TRUNCATE makes an index valid that is ready and not valid, as after an
 * interrupted CREATE INDEX CONCURRENTLY, so these two states count as one.
 */
const codeLines = `
  SELECT concat_ws(' | ', 'index', pg_get_indexdef(i.indexrelid),
    i.indisvalid OR (i.indisready AND r.oid = ANY ($3::oid[]) AND c.relkind = 'i'), i.indisclustered,
    i.indisreplident, c.relowner::regrole, c.reltablespace, c.relpersistence,
    obj_description(i.indexrelid, 'pg_class'),
    (SELECT string_agg(concat_ws(' ', a.attname, a.attstorage, a.attcompression, a.attstattarget), ', '
      ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.indexrelid))
  FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
  UNION ALL
  SELECT concat_ws(' | ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
  UNION ALL
  -- Triggers of constraints are made and dropped with them; only a superuser can disable them
  SELECT concat_ws(' | ', 'internal trigger', r.shown, con.conname, t.tgfoid::regproc, t.tgenabled)
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
    JOIN pg_constraint con ON con.oid = t.tgconstraint WHERE t.tgisinternal AND t.tgenabled <> 'O'
  UNION ALL
  SELECT concat_ws(' | ', 'policy', r.shown, p.polname, p.polcmd, p.polpermissive, p.polroles,
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
  UNION ALL
  SELECT concat_ws(' | ', 'rule', pg_get_ruledef(w.oid), w.ev_enabled, obj_description(w.oid, 'pg_rewrite'))
  FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE r.relkind IN ('r', 'p')`

/**
 * Everything about relations, sequences and domains that a restore of `restored` could change: columns, defaults,
 * constraints, indexes, triggers, policies, rules, owners, privileges, comments, options. By name, because constraints
 * that are dropped and added get other oids.
 */
export async function readFingerprint (
  tx: Transaction, { relations, domains, restored }: Fingerprinted
): Promise<string[]> {
  const rows = await tx.query<{ line: string }>(`
    WITH RECURSIVE root AS (${rootKeysQuery}),
    relation AS (SELECT c.*, c.oid::regclass::text AS shown FROM pg_class c WHERE c.oid = ANY ($1::oid[]))
    ${tableLines} UNION ALL ${constraintLines} UNION ALL ${codeLines}
    ORDER BY line`, [`{${relations.join(',')}}`, `{${domains.join(',')}}`, `{${restored.join(',')}}`])
  return rows.map(({ line }) => line)
}

/** Lines that only one of the two lists contains. */
export function fingerprintDifference (before: string[], after: string[]): string[] {
  const [first, second] = [new Set(before), new Set(after)]
  return [...before.filter((line) => !second.has(line)), ...after.filter((line) => !first.has(line))]
}
