import type { Sql } from 'postgres'

/** Everything that a restore must restore or leave unchanged. */
export interface DatabaseState {
  /** For each relation that stores rows: their number, and a hash of their sorted text. */
  rows: Record<string, string>
  /** For each sequence: last_value and is_called. */
  sequences: Record<string, string>
  /** One line for each object in the catalog. */
  catalog: string[]
}

/** Left out, with its sequence, because every run changes it. */
const logTable = 'backup_logs'

const userSchemas = "nspname !~ '^pg_' AND nspname <> 'information_schema'"

/**
 * Reads the complete database as a superuser: its rows, its sequences and its catalog, by a query that shares
 * nothing with those of the library. The log table is left out.
 */
export async function readState (sql: Sql): Promise<DatabaseState> {
  return await sql.begin(async (tx) => {
    await tx.unsafe(`SET LOCAL search_path = pg_catalog; SET LOCAL extra_float_digits = 3; SET LOCAL TimeZone = 'UTC';
      SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = hex`)
    const relations = await tx.unsafe(`SELECT c.relkind AS kind, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${userSchemas} AND c.relkind IN ('r', 'S') AND c.relname !~ '^${logTable}' ORDER BY 2`)
    const state: DatabaseState = { rows: {}, sequences: {}, catalog: [] }
    for (const { kind, name } of relations) {
      if (kind === 'S') {
        const [sequence] = await tx.unsafe(`SELECT last_value || ', ' || is_called AS state FROM ${name}`)
        state.sequences[name] = sequence?.state
      } else {
        // The alias stands for the whole row only if no column has its name
        const [rows] = await tx.unsafe(`SELECT count(*) || ' rows, ' ||
          coalesce(md5(string_agg("a whole row"::text, chr(10) ORDER BY "a whole row"::text COLLATE "C")), '') AS state
          FROM ONLY ${name} "a whole row"`)
        state.rows[name] = rows?.state
      }
    }
    state.catalog = (await tx.unsafe(catalogQuery)).map(({ line }) => line)
    return state
  })
}

/** Rows of the system catalogs as JSON, without counters; names replace oids, or the oids are left out. */
const catalogQuery = `
  WITH relation AS (
    SELECT c.*, format('%I.%I', n.nspname, c.relname) AS full_name FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${userSchemas} AND c.relname !~ '^${logTable}'
  ), fact AS (
    SELECT 'relation ' || full_name AS subject,
      to_jsonb(r) - '{oid,relfilenode,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}'::text[]
        - '{reltoastrelid,reltype,reloftype,relowner,relnamespace}'::text[]
        || jsonb_build_object('owner', relowner::regrole) AS facts
    FROM relation r
    UNION ALL
    SELECT format('column %s.%I', r.full_name, a.attname), to_jsonb(a) - '{attrelid,attcacheoff}'::text[]
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
    UNION ALL
    SELECT format('default %s.%s', r.full_name, d.adnum), to_jsonb(pg_get_expr(d.adbin, d.adrelid)) FROM relation r
      JOIN pg_attrdef d ON d.adrelid = r.oid
    UNION ALL
    SELECT format('constraint %I on %s', con.conname, coalesce(r.full_name, con.contypid::regtype::text)),
      to_jsonb(con) - '{oid,connamespace,conrelid,conindid,conparentid,confrelid,conbin}'::text[]
        - '{conpfeqop,conppeqop,conffeqop,conexclop,contypid}'::text[]
        || jsonb_build_object('definition', pg_get_constraintdef(con.oid),
          'references', con.confrelid::regclass, 'index', con.conindid::regclass,
             'parent', up.conname, 'parentOn', up.conrelid::regclass)
    FROM pg_constraint con LEFT JOIN relation r ON r.oid = con.conrelid
      LEFT JOIN pg_constraint up ON up.oid = con.conparentid
    WHERE r.oid IS NOT NULL OR con.contypid <> 0 AND con.contypid >= 16384
    UNION ALL
    SELECT format('trigger %I on %s', t.tgname, r.full_name),
      to_jsonb(pg_get_triggerdef(t.oid)) || to_jsonb(t.tgenabled) || to_jsonb(coalesce(up.tgname, '-'))
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid LEFT JOIN pg_trigger up ON up.oid = t.tgparentid
      WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('internal triggers on %s by %I', r.full_name, con.conname),
      jsonb_agg(jsonb_build_array(t.tgfoid::regproc, t.tgenabled, t.tgdeferrable, t.tginitdeferred) ORDER BY t.tgfoid)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid JOIN pg_constraint con ON con.oid = t.tgconstraint
      WHERE t.tgisinternal
    GROUP BY r.full_name, con.conname
    UNION ALL
    SELECT 'index ' || i.indexrelid::regclass,
      to_jsonb(i) - '{indrelid,indexrelid,indcheckxmin,indcollation,indclass,indexprs,indpred}'::text[]
        || jsonb_build_object('definition', pg_get_indexdef(i.indexrelid))
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT format('policy %I on %s', p.polname, r.full_name),
      to_jsonb(p) - '{oid,polrelid,polqual,polwithcheck}'::text[]
        || jsonb_build_object('using', pg_get_expr(p.polqual, p.polrelid))
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT format('rule %I on %s', w.rulename, r.full_name), to_jsonb(pg_get_ruledef(w.oid)) || to_jsonb(w.ev_enabled)
      FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT 'sequence ' || r.full_name, to_jsonb(s) - 'seqrelid' FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    UNION ALL
    SELECT 'comment', to_jsonb(pg_describe_object(d.classoid, d.objoid, d.objsubid) || ': ' || d.description)
      FROM pg_description d WHERE d.objoid >= 16384
    UNION ALL
    SELECT 'dependency', to_jsonb(regexp_replace(format('%s on %s, %s', pg_describe_object(d.classid, d.objid,
      d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), d.deptype),
      '(RI_ConstraintTrigger_[ac]_)\\d+', '\\1', 'g'))
    FROM pg_depend d WHERE d.objid >= 16384
  )
  SELECT shown AS line FROM fact CROSS JOIN LATERAL concat_ws(' ', subject, facts::text) shown
    WHERE shown !~ '${logTable}' ORDER BY shown COLLATE "C"`

interface Assertions { strictSame: (found: unknown, wanted: unknown, message: string) => unknown }

/** Asserts that the rows of every relation, every sequence and the catalog are the same as before. */
export async function sameDatabase (t: Assertions, sql: Sql, before: DatabaseState): Promise<void> {
  const now = await readState(sql)
  t.strictSame(now.rows, before.rows, 'every relation holds the same rows')
  t.strictSame(now.sequences, before.sequences, 'every sequence has the same last_value and is_called')
  // Shows only the differences, because the catalog has thousands of lines
  t.strictSame(missing(now.catalog, before.catalog), [], 'nothing is new in the catalog')
  t.strictSame(missing(before.catalog, now.catalog), [], 'nothing is gone from the catalog')
}

function missing (lines: string[], from: string[]): string[] {
  const known = new Set(from)
  return lines.filter((line) => !known.has(line))
}

/**
 * Deletes all rows of all tables except the excluded ones, and changes every sequence. No trigger fires, and no foreign
 * key is checked.
 */
export async function damageEverything (sql: Sql, except: string[] = []): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe("SET LOCAL session_replication_role = 'replica'")
    const relations = await tx.unsafe(`SELECT c.relkind AS kind, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${userSchemas} AND c.relkind IN ('r', 'S') AND c.relname !~ '^${logTable}'
        AND c.relname <> ALL ($1)`, [except])
    for (const { kind, name } of relations) {
      const literal = `'${name.replaceAll("'", "''")}'`
      await tx.unsafe(kind === 'S'
        ? `SELECT setval(${literal}, seqmin, true) FROM pg_sequence WHERE seqrelid = ${literal}::regclass`
        : `DELETE FROM ONLY ${name}`)
    }
  })
}
