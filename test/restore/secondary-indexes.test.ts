import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import t, { type Test } from 'tap'
import { connected } from '../support/connected.ts'
import { createPool } from '../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { suspendIndexes } from '../../lib/restore/rebuild-indexes.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { catalogRelation } from './catalog-relation.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'

/** Rows of a table that is large enough. */
const many = 5000

const light = `CREATE TABLE big (id int PRIMARY KEY, a int, b text);
  INSERT INTO big SELECT i, i * 7919 % 1000, 'b' || i FROM generate_series(1, ${many}) i;`

const wide = `
  CREATE TYPE mood AS ENUM ('fine', 'bad');
  CREATE DOMAIN label AS text CHECK (VALUE <> '');
  CREATE COLLATION numeric_order (provider = icu, locale = 'en-u-kn-true');
  CREATE TABLE big (id int PRIMARY KEY, a int, b text, c timestamptz, f float8, j jsonb, tags text[], ints int[],
    pt point, m mood, l label, r int4range, "odd ""name""" int, dropped int);
  INSERT INTO big SELECT i, i * 7919 % 1000, 'b' || i, '2024-01-01'::timestamptz + i * interval '1 hour', i / 3.0,
    jsonb_build_object('n', i % 9), ARRAY['t' || i % 7, 'x'], ARRAY[i % 5, i % 3], point(i, -i),
    (ARRAY['fine', 'bad', NULL])[i % 3 + 1]::mood, 'l' || i % 9, int4range(i, i + 5), i, 1
    FROM generate_series(1, ${many}) i;
  ALTER TABLE big DROP COLUMN dropped;`

/** Every kind of index that is rebuilt. */
const rebuilt: Record<string, string> = {
  plain: '(a)',
  descending: '(a DESC NULLS LAST, b ASC NULLS FIRST)',
  including: '(a) INCLUDE (b, c)',
  filled: '(b) WITH (fillfactor = 55, deduplicate_items = off)',
  collated: '(b COLLATE numeric_order)',
  patterned: '(b text_pattern_ops)',
  partial: "(c) WHERE a > 10 AND b LIKE 'b1%'",
  expression: '(pg_catalog.lower(b), (a + 1), ((f)::text), pg_catalog.lower(b))',
  of_enum: "(m) WHERE m = 'bad'::mood",
  of_domain: '(l)',
  of_range: 'USING gist (r)',
  hashed: 'USING hash (b)',
  on_json: 'USING gin (j jsonb_path_ops) WITH (fastupdate = off)',
  on_array: 'USING gin (tags)',
  on_points: 'USING spgist (pt)',
  on_blocks: 'USING brin (a, c) WITH (pages_per_range = 8, autosummarize = on)',
  minmax_multi: 'USING brin (a int4_minmax_multi_ops(values_per_range = 16))',
  blooming: 'USING bloom (a, b) WITH (length = 100, col1 = 3)',
  trigrams: 'USING gist (b gist_trgm_ops(siglen = 32))',
  signatures: 'USING gist (ints gist__intbig_ops(siglen = 64))',
  [`"odd ""name"" ${'ß'.repeat(20)}"`]: '("odd ""name""")'
}

const createAll = (indexes: Record<string, string>): string => Object.entries(indexes).map(([name, definition]) =>
  `CREATE INDEX ${name} ON big ${definition};`).join('\n')

async function oids (sql: Sql): Promise<Map<string, string>> {
  const rows = await sql`SELECT c.relname AS name, c.oid::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND c.relname !~ '^backup_logs' ORDER BY 1`
  return new Map(rows.map(({ name, oid }) => [name, oid]))
}

/** Returns the names of the indexes that `work` drops and creates. */
async function rebuiltBy (sql: Sql, work: () => Promise<unknown>): Promise<string[]> {
  const before = await oids(sql)
  await work()
  const after = await oids(sql)
  return [...before.keys()].filter((name) => before.get(name) !== after.get(name))
}

/** Every row of the table is in its btree indexes, as the settings of the session compute their expressions. */
async function checkIndexes (t: Test, sql: Sql): Promise<void> {
  await t.resolves(sql.begin(async (tx) => {
    await tx`SET LOCAL extra_float_digits = -5`
    await tx`SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am am ON am.oid = c.relam AND am.amname = 'btree' WHERE i.indrelid = 'big'::regclass`
  }))
  await sql.begin(async (tx) => {
    await tx`SET LOCAL enable_seqscan = off`
    const [found] = await tx`SELECT (SELECT count(*)::int FROM big WHERE tags @> '{t3}') AS gin,
      (SELECT count(*)::int FROM big WHERE b = 'b77') AS hash,
      (SELECT count(*)::int FROM big WHERE r @> 77) AS gist`
    t.strictSame({ ...found }, { gin: 714, hash: 1, gist: 5 })
  })
}

async function useOwner (
  t: Test, tables = light, extensions: string[] = []
): Promise<{ sql: Sql, owner: Sql, ownerUrl: string, role: string }> {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  for (const name of extensions) await sql`CREATE EXTENSION ${sql(name)}`
  await owner.unsafe(tables)
  return { sql, owner, ownerUrl, role: new URL(ownerUrl).username }
}

/** A tablespace that every role may use. */
async function useTablespace (t: Test): Promise<string> {
  const name = `fastify backup ${randomBytes(8).toString('hex')}`
  const server = String(process.env.TEST_DATABASE_URL)
  await connected(server, async (admin) => {
    await admin`SET allow_in_place_tablespaces = on`
    await admin`CREATE TABLESPACE ${admin(name)} LOCATION ''`
    await admin`GRANT CREATE ON TABLESPACE ${admin(name)} TO PUBLIC`
  })
  t.after(async () => { await connected(server, async (admin) => await admin`DROP TABLESPACE ${admin(name)}`) })
  return name
}

t.test('indexes of every kind are rebuilt by an owner, and are as before', async (t) => {
  const tablespace = await useTablespace(t)
  const { sql, owner, ownerUrl, role } = await useOwner(t, wide, ['bloom', 'pg_trgm', 'amcheck', 'intarray'])
  await sql.unsafe(`ALTER ROLE "${role}" SET extra_float_digits = -5;
    ALTER ROLE "${role}" SET default_tablespace = 'none';
    ALTER ROLE "${role}" SET search_path = ${testSchema}, pg_catalog;
    CREATE FUNCTION lower (text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'of a user' $$`)
  await owner.unsafe(`SET extra_float_digits = -5; ${createAll(rebuilt)}
    CREATE INDEX elsewhere ON big (a) TABLESPACE "${tablespace}"; CREATE INDEX swapped ON big (a, b, c);
    COMMENT ON INDEX plain IS 'it''s \\ plain'; ALTER INDEX expression ALTER COLUMN 2 SET STATISTICS 77;
    ALTER INDEX expression ALTER COLUMN 1 SET STATISTICS 0;
    ALTER TABLE expression RENAME COLUMN expr TO given;
    ALTER TABLE big RENAME COLUMN c TO between; ALTER TABLE big RENAME COLUMN a TO c;
    ALTER TABLE big RENAME COLUMN between TO a`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  await damageEverything(sql)
  const names = [...(await oids(sql)).keys()].filter((name) => name !== 'big_pkey')
  const byAge = async (): Promise<string[]> =>
    [...await oids(sql)].sort(([, one], [, other]) => Number(one) - Number(other)).map(([name]) => name)
  const inOrder = await byAge()
  t.strictSame(await rebuiltBy(sql, async () => await engine.restore(id)), names)
  await sameDatabase(t, sql, before)
  t.strictSame(await byAge(), inOrder)
  await sql.unsafe('ALTER TABLE big RENAME COLUMN a TO between; ALTER TABLE big RENAME COLUMN c TO a')
  await checkIndexes(t, sql)
})

t.test('indexes that something else refers to, or whose code is that of users, are left in place', async (t) => {
  const { sql, owner, ownerUrl, role } = await useOwner(t, light, ['pg_trgm', 'intarray'])
  await owner.unsafe(`
    CREATE FUNCTION same (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE TYPE pair AS (x int, y int); CREATE TYPE span AS RANGE (subtype = float8);
    ALTER TABLE big ADD p pair, ADD ps pair[], ADD s span, ADD q int NOT NULL DEFAULT 0, ADD UNIQUE (id, a),
      ADD EXCLUDE (a WITH =) WHERE (id < 0);
    ALTER TABLE big ADD ints int[];
    CREATE UNIQUE INDEX only_one ON big (id, b);
    CREATE UNIQUE INDEX identity ON big (id, q); ALTER TABLE big REPLICA IDENTITY USING INDEX identity;
    CREATE INDEX clustered ON big (a); ALTER TABLE big CLUSTER ON clustered;
    CREATE INDEX of_pair ON big (p); CREATE INDEX of_pairs ON big (ps); CREATE INDEX of_span ON big (s);
    CREATE INDEX reads_pair ON big ((p IS NULL)); CREATE INDEX casts ON big (((a, 1)::pair IS NULL));
    CREATE INDEX of_extension ON big (a); CREATE INDEX by_operator ON big (a) WHERE ints @@ '1'::query_int;
    CREATE INDEX whole_row ON big (a, ((big.* IS NULL))); CREATE INDEX lowered ON big (lower(b));
    CREATE TABLE by_part (id int, a int) PARTITION BY LIST (id); CREATE INDEX of_root ON by_part (a);
    CREATE TABLE leaf PARTITION OF by_part DEFAULT; CREATE INDEX of_leaf ON leaf (a);
    CREATE INDEX names_relation ON leaf (a) WHERE a <> 'big_pkey'::regclass::int;
    INSERT INTO by_part SELECT i, i FROM generate_series(1, ${many}) i;
    CREATE TABLE uses_code (a int, b text); CREATE INDEX other ON uses_code (a);
    CREATE INDEX by_function ON uses_code (same(b)); INSERT INTO uses_code SELECT a, b FROM big;
    CREATE INDEX labelled ON big (a); CREATE INDEX measured ON big (a);
    CREATE VIEW size AS SELECT pg_relation_size('measured'::regclass);
    CREATE TABLE small (a int); CREATE INDEX of_small ON small (a);
    INSERT INTO small SELECT generate_series(2, ${many})`)
  await sql.unsafe(`
    CREATE FUNCTION compare (int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($1, $2)';
    CREATE OPERATOR CLASS own_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
      OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int);
    CREATE INDEX own_class ON big (a own_ops);
    INSERT INTO pg_seclabel VALUES ('labelled'::regclass, 'pg_class'::regclass, 0, 'none', 'secret');
    CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
    CREATE TABLE otherwise (a int) USING heap_too; CREATE INDEX on_other ON otherwise (a);
    ALTER TABLE otherwise OWNER TO "${role}"; INSERT INTO otherwise SELECT generate_series(1, ${many});
    ALTER INDEX of_extension DEPENDS ON EXTENSION pg_trgm`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.strictSame(await rebuiltBy(sql, async () => await engine.restore(id)), ['lowered', 'of_leaf'])
  await sameDatabase(t, sql, before)
})

t.test('indexes are left in place when creating them could fail', async (t) => {
  const tablespace = await useTablespace(t)
  const { sql, owner, ownerUrl, role } = await useOwner(t)
  await sql.unsafe(`CREATE SCHEMA beside; CREATE COLLATION beside.mine (provider = icu, locale = 'en');
    CREATE EXTENSION btree_gin SCHEMA beside; GRANT USAGE ON SCHEMA beside TO PUBLIC`)
  await owner.unsafe(`CREATE INDEX plain ON big (a); CREATE INDEX elsewhere ON big (a) TABLESPACE "${tablespace}";
    CREATE INDEX collated ON big (b COLLATE beside.mine); CREATE INDEX by_class ON big USING gin (a)`)
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  const all = ['by_class', 'collated', 'elsewhere', 'plain']
  t.strictSame(await rebuiltBy(sql, async () => await engine.restore(id)), all)
  const cases: Array<[string, string, string[]]> = [
    [`REVOKE CREATE ON TABLESPACE "${tablespace}" FROM PUBLIC`, `GRANT CREATE ON TABLESPACE "${tablespace}" TO PUBLIC`,
      ['by_class', 'collated', 'plain']],
    ['REVOKE USAGE ON SCHEMA beside FROM PUBLIC', 'GRANT USAGE ON SCHEMA beside TO PUBLIC', ['elsewhere', 'plain']],
    [`ALTER SCHEMA ${testSchema} OWNER TO CURRENT_USER; GRANT USAGE ON SCHEMA ${testSchema} TO PUBLIC`,
      `ALTER SCHEMA ${testSchema} OWNER TO "${role}"`, []],
    [`ALTER ROLE "${role}" SET temp_file_limit = '1GB'`, `ALTER ROLE "${role}" RESET temp_file_limit`, []],
    [`CREATE FUNCTION refuse () RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no DDL''; END';
      CREATE EVENT TRIGGER guard ON sql_drop WHEN TAG IN ('DROP INDEX') EXECUTE FUNCTION refuse()`,
    'DROP EVENT TRIGGER guard; DROP FUNCTION refuse', []]
  ]
  for (const [statement, undo, expected] of cases) {
    await sql.unsafe(statement)
    // An open connection would have the former settings of the role
    const { engine } = await useEngineWithFiles(t, { connection: ownerUrl, storagePath })
    const restore = async (): Promise<unknown> => await engine.restore(id)
    t.strictSame(await rebuiltBy(sql, restore), expected, statement)
    await sql.unsafe(undo)
  }
  await sameDatabase(t, sql, before)
})

t.test('a lost connection leaves the indexes as they were', async (t) => {
  const { sql, owner, ownerUrl } = await useOwner(t)
  await owner.unsafe(`CREATE INDEX plain ON big (a); COMMENT ON INDEX plain IS 'plain'; CREATE INDEX lowered ON big
    (lower(b)); ALTER TABLE big RENAME COLUMN a TO renamed`)
  const proxy = await useTcpProxy(t, ownerUrl)
  const { engine } = await useEngineWithFiles(t, { connection: proxy.url })
  const { id } = await engine.create()
  await sql`DELETE FROM big WHERE id > 10`
  const before = await readState(sql)
  for (const step of ['DROP INDEX', 'CREATE INDEX plain', 'CREATE INDEX lowered', 'RENAME COLUMN', 'restored']) {
    let cut = false
    proxy.onSent = (text, link) => {
      if (cut || !text.includes(step)) return
      cut = true
      link.cut()
    }
    t.strictSame(await rebuiltBy(sql, async () => {
      await t.rejects(engine.restore(id), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE' }, step)
    }), [])
    t.ok(cut, step)
    proxy.onSent = () => {}
    await sameDatabase(t, sql, before)
  }
  t.strictSame(await rebuiltBy(sql, async () => await engine.restore(id)), ['lowered', 'plain'])
})

t.test('an index that the rows do not fit fails the restore, and the error names it', async (t) => {
  const { sql, owner, ownerUrl } = await useOwner(t)
  await sql`UPDATE big SET b = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i) WHERE id = 7`
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  await owner.unsafe('CREATE INDEX first ON big (a)')
  // Not DELETE: CREATE INDEX also reads deleted rows that another transaction may still see
  await owner.unsafe('TRUNCATE big; CREATE INDEX narrow ON big (b); INSERT INTO big VALUES (1, 1, 1)')
  const before = await readState(sql)
  t.strictSame(await rebuiltBy(sql, async () => {
    await t.rejects(engine.restore(id), {
      code: 'FST_BACKUP_RESTORE_FAILED',
      message: new RegExp(`SQLSTATE 54000, .*when the index ${testSchema}.narrow was created again`),
      cause: { code: '54000' }
    })
  }), [])
  await sameDatabase(t, sql, before)
})

t.test('rows that violate a deferred constraint fail the restore, and the error names the constraint', async (t) => {
  const { sql, owner, ownerUrl } = await useOwner(t)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  await owner.unsafe(`DELETE FROM big WHERE id > 2; CREATE INDEX plain ON big (b);
    ALTER TABLE big ADD CONSTRAINT one_each UNIQUE (a) DEFERRABLE INITIALLY DEFERRED`)
  const before = await readState(sql)
  const message = /SQLSTATE 23505, .*constraint one_each/
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message })
  await sameDatabase(t, sql, before)
})

t.test('functions that rows run find the indexes of the tables that they read', async (t) => {
  const { sql, owner, ownerUrl } = await useOwner(t)
  await owner.unsafe(`CREATE INDEX plain ON big (a);
    CREATE FUNCTION find (int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      IF to_regclass('${testSchema}.plain') IS NULL THEN RAISE 'no index'; END IF; RETURN $1; END $$;
    CREATE TABLE item (id int, found int GENERATED ALWAYS AS (find(id)) STORED); INSERT INTO item VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.strictSame(await rebuiltBy(sql, async () => await engine.restore(id)), ['plain'])
  await sameDatabase(t, sql, before)
})

t.test('indexes of another schema are rebuilt when its rows are replaced', async (t) => {
  const { sql, owner, ownerUrl } = await useOwner(t)
  await owner.unsafe(`CREATE TABLE item (a int); CREATE INDEX by_a ON item (a);
    INSERT INTO item SELECT generate_series(1, ${many});
    CREATE SCHEMA "other one"; CREATE TABLE "other one".item (a int); CREATE INDEX there ON "other one".item (a)`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const { catalog } = await readState(sql)
  const restore = async (): Promise<unknown> => await engine.restore(id, { schema: 'other one', tables: ['item'] })
  t.strictSame(await rebuiltBy(sql, restore), ['there'])
  t.strictSame((await readState(sql)).catalog, catalog)
})

t.test('indexes are left in place when the lock table has no room for more', async (t) => {
  const { sql, ownerUrl } = await useOwner(t, 'CREATE TABLE big (a int); CREATE INDEX plain ON big (a)')
  const [row] = await sql`SELECT 'big'::regclass::oid::text AS oid`
  const relation = catalogRelation(String(row?.oid), testSchema, 'big')
  const target = {
    table: { name: 'big', columns: [], relations: [relation] },
    recorded: { name: 'big', rows: many, columns: [], offset: 0, bytes: 2, checksum: '' },
    columns: ['a'],
    generated: []
  }
  const pool = createPool(ownerUrl)
  t.after(async () => { await pool.end() })
  const dropped = async (relations: number): Promise<string[]> =>
    await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
      const scope = { tables: [target], withUserCode: new Set<string>(), relations: Array(relations).fill(relation) }
      return (await suspendIndexes(tx, scope)).map(({ name }) => name)
    })
  t.strictSame(await dropped(1_000_000), [])
  t.strictSame(await dropped(1), ['plain'])
})

t.test('an index that is not valid does not prevent a restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (a int, b int)`
  await sql`INSERT INTO item VALUES (1, 1), (1, 2)`
  // Its first scan fails, so it is not maintained, and TRUNCATE does not build it
  await t.rejects(sql`CREATE UNIQUE INDEX CONCURRENTLY unready ON item (a)`, { code: '23505' })
  // As when its last scan was interrupted
  await sql`CREATE INDEX ready ON item (b)`
  await sql`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ready'::regclass`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql`DELETE FROM item`
  t.match(await engine.restore(id), { rowCount: 2 })
  const states = await sql`SELECT indexrelid::regclass::text AS name, indisvalid FROM pg_index
    WHERE indrelid = 'item'::regclass ORDER BY 1`
  t.strictSame(states.map(({ name, indisvalid }) => [name, indisvalid]), [['ready', true], ['unready', false]])
})
