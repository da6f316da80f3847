import postgres from 'postgres'
import t from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { useDirectory } from '../support/directory.ts'

/**
 * Like the usual wrapper of unaccent(). The index is created before the function looks up another one: from
 * PostgreSQL 17 on, CREATE INDEX sets the search_path itself and would fail.
 */
const wrapped = `
  CREATE FUNCTION plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE FUNCTION f_plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE TABLE person (id int PRIMARY KEY, name text); CREATE INDEX ON person (f_plain(name));
  CREATE OR REPLACE FUNCTION f_plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)';
  CREATE TABLE zebra (id int REFERENCES person); INSERT INTO person VALUES (1, 'Ada'), (2, 'Bob');
    INSERT INTO zebra VALUES (1);`

t.test('an index over a function that depends on the search_path fails neither a plan nor a restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(wrapped)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql`INSERT INTO person VALUES (3, 'Eve')`
  const { ok, tables } = await engine.plan(id)
  t.equal(ok, true)
  t.strictSame(tables, [{ name: 'person', rowsNow: 3, rowsAfter: 2 }, { name: 'zebra', rowsNow: 1, rowsAfter: 1 }])
  await engine.restore(id)
  t.same([...await sql`SELECT * FROM person ORDER BY id`], [{ id: 1, name: 'Ada' }, { id: 2, name: 'Bob' }])
})

t.test('a table that can\'t be analyzed does not keep others from being analyzed', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`${wrapped} CREATE FUNCTION fails (int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      IF current_setting('application_name') ~ '^fastify-backup' THEN RAISE 'no'; END IF; RETURN $1; END $$;
    CREATE TABLE bad (id int); CREATE STATISTICS on_bad ON fails(id) FROM bad; INSERT INTO bad VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await engine.restore(id)
  const counted = async (name: string): Promise<unknown> => {
    const [row] = await sql`SELECT reltuples FROM pg_class WHERE oid = ${name}::regclass`
    return row?.reltuples
  }
  t.equal(await counted('zebra'), 1)
  t.not(await counted('bad'), 1)
  const { version } = (await sql`SELECT current_setting('server_version_num')::int AS version`)[0] ?? {}
  // From PostgreSQL 17 on, ANALYZE sets the search_path itself
  if (version < 170000) t.equal(await counted('person'), 2)
})

t.test('triggers and expressions that run during a restore find tables by the search_path', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await owner.unsafe(`CREATE FUNCTION double (int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
    CREATE FUNCTION twice (int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN double($1); END';
    CREATE TABLE later (a int, EXCLUDE USING btree ((twice(a)) WITH =) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO later VALUES (1), (2); CREATE SEQUENCE counted; CREATE TABLE users (id serial PRIMARY KEY);
    CREATE TABLE books (author int REFERENCES users); INSERT INTO users DEFAULT VALUES; INSERT INTO books VALUES (1);
    ALTER TABLE books ADD CONSTRAINT unmet CHECK (author > 5) NOT VALID; ALTER TABLE users ENABLE ROW LEVEL SECURITY;
    CREATE TABLE ddl_log (tag text)`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl, excludeTables: ['ddl_log'] })
  const { id } = await engine.create()
  await sql.unsafe(`CREATE FUNCTION note_ddl () RETURNS event_trigger LANGUAGE plpgsql
      AS 'BEGIN INSERT INTO ddl_log VALUES (tg_tag); END';
    CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION note_ddl()`)
  const { rows } = await readState(sql)
  await owner`DELETE FROM later`
  await engine.restore(id)
  const tags = (await sql`SELECT DISTINCT tag FROM ddl_log ORDER BY 1`).map(({ tag }) => tag)
  t.same(tags, ['ALTER SEQUENCE', 'ALTER TABLE'])
  await sql`TRUNCATE ddl_log`
  t.same((await readState(sql)).rows, rows)
})

t.test('a role restores with an empty search_path, or one with functions named like those of PostgreSQL', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await owner.unsafe(`CREATE TABLE item (id int PRIMARY KEY, name text);
    CREATE TABLE of_item (item int REFERENCES item);
    INSERT INTO item VALUES (1, 'a'); INSERT INTO of_item VALUES (1);
    ALTER TABLE item ADD CONSTRAINT short CHECK (length(name) > 3) NOT VALID;
    CREATE FUNCTION count (int) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    CREATE FUNCTION length (text) RETURNS int LANGUAGE sql AS 'SELECT 99';
    CREATE FUNCTION set_config (text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'`)
  const role = new URL(ownerUrl).username
  const storagePath = await useDirectory(t)
  const paths = {
    "''": ownerUrl,
    [`${testSchema}, pg_catalog`]: ownerUrl,
    DEFAULT: `${ownerUrl}?options=${encodeURIComponent('-c search_path=')}`
  }
  for (const [path, connection] of Object.entries(paths)) {
    await sql.unsafe(`ALTER ROLE "${role}" SET search_path = ${path}`)
    const { engine } = await useEngineWithFiles(t, { connection, storagePath })
    const { id } = await engine.create()
    const before = await readState(sql)
    const { ok, tables } = await engine.plan(id)
    t.equal(ok, true)
    t.strictSame(tables.map(({ name, rowsNow }) => [name, rowsNow]), [['item', 1], ['of_item', 1]])
    await engine.restore(id)
    await sameDatabase(t, sql, before)
  }
})
