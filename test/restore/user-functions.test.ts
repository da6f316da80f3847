import { writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Sql } from 'postgres'
import t from 'tap'
import { storageWith } from '../support/storage-double.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { dataPart, useEngineWithFiles } from '../support/engine.ts'
import { useDirectory } from '../support/directory.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'

/** The file contains `item` before `rate`, which the prices of `item` come from. */
const items = `
  CREATE TABLE rate (id int PRIMARY KEY, price int);
  CREATE FUNCTION price_of (int) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN (SELECT price FROM ${testSchema}.rate WHERE id = $1); END';
  CREATE TABLE item (id int PRIMARY KEY, price int GENERATED ALWAYS AS (price_of(id)) STORED, name text,
    doubled int GENERATED ALWAYS AS (id * 2) STORED);
  CREATE INDEX by_price ON item (price_of(id));
  INSERT INTO rate VALUES (1, 10), (2, 20); INSERT INTO item (id, name) VALUES (1, E'a\\tb\\\\\\n'), (2, NULL), (3, '')`

const pricesOf = async (sql: Sql): Promise<unknown[]> =>
  (await sql`SELECT price FROM item ORDER BY id`).map(({ price }) => price)

t.test('values that a function generates from another table are restored, also in an index', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(items)
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const backup = await engine.create()
  const { manifest, data } = JSON.parse(read(backup))
  t.strictSame(manifest.tables[0].columns, [
    { name: 'id', type: 'integer' },
    { name: 'price', type: 'integer', generated: true },
    { name: 'name', type: 'text' }
  ])
  t.strictSame(data.item, [
    { id: 1, price: 10, name: 'a\tb\\\n' },
    { id: 2, price: 20, name: null },
    { id: 3, price: null, name: '' }
  ])
  const before = await readState(sql)
  await sql`DELETE FROM item WHERE id = 1`
  const { preRestoreId } = await engine.restore(backup.id)
  await sameDatabase(t, sql, before)
  await sql.unsafe('SET enable_seqscan = off')
  t.same(await sql.unsafe('SELECT id FROM item WHERE price_of(id) = 20'), [{ id: 2 }])
  t.strictSame((await engine.restore(preRestoreId)).drift, [])
})

t.test('generated values that differ from the snapshot fail a restore that does not allow drift', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`${items}; CREATE TABLE calm (id int); INSERT INTO calm VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  // Each of the two would get the value that the other one has
  await sql`UPDATE rate SET price = 30 - price`
  const { id } = await engine.create()
  const damaged = await readState(sql)
  await t.rejects(engine.restore(id), {
    code: 'FST_BACKUP_RESTORE_FAILED',
    message: new RegExp('the generated column price of table item would have other values .* ' +
      'accept the new values with allowSchemaDrift')
  })
  await sameDatabase(t, sql, damaged)
  const { drift } = await engine.restore(id, { allowSchemaDrift: true })
  const problem = 'is generated, and has other values than in the snapshot'
  t.strictSame(drift, [{ table: 'item', column: 'price', problem }])
  t.strictSame(await pricesOf(sql), [20, 10, null])
  t.strictSame((await engine.restore((await engine.create()).id, { tables: ['item'] })).drift, [])
})

t.test('a generated column that became a plain one is restored; the opposite change is drift', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(items)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const generated = await engine.create()
  await sql`ALTER TABLE item ALTER COLUMN price DROP EXPRESSION`
  await sql`UPDATE item SET price = 7`
  const plain = await engine.create()
  t.strictSame((await engine.restore(generated.id)).drift, [])
  t.strictSame(await pricesOf(sql), [10, 20, null])
  await sql`ALTER TABLE item DROP COLUMN price`
  await sql`ALTER TABLE item ADD COLUMN price int GENERATED ALWAYS AS (price_of(id)) STORED`
  t.strictSame((await engine.plan(plain.id)).drift, [
    { table: 'item', column: 'price', problem: 'is generated, and was not' }
  ])
  await engine.restore(plain.id, { allowSchemaDrift: true })
  t.strictSame(await pricesOf(sql), [10, 20, null], 'generated again')
})

t.test('generated values of a table with drift are not compared', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(items)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql`ALTER TABLE item DROP COLUMN name`
  const { drift } = await engine.restore(id, { allowSchemaDrift: true })
  t.strictSame(drift, [{ table: 'item', column: 'name', problem: 'is in the snapshot, and not in the table' }])
  t.strictSame(await pricesOf(sql), [10, 20, null])
})

t.test('generated values of a modified file are not compared', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(items)
  const { engine, storagePath, read } = await useEngineWithFiles(t, { connection: url })
  const backup = await engine.create()
  const modified = read(backup).replace('"id":3', '"id":2').replace('"id":2,"price":20', '"id":3,"price":20')
  await writeFile(`${storagePath}/${backup.filename}`, modified)
  t.strictSame((await engine.restore(backup.id, { allowModified: true })).drift, [])
  t.strictSame(await pricesOf(sql), [10, 20, null])
})

t.test('tables with a function in a generated column or in the partition key are loaded last', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE rate (id int PRIMARY KEY, price int);
    INSERT INTO rate SELECT i, i % 2 FROM generate_series(1, 40) i;
    CREATE FUNCTION price_of (int) RETURNS int LANGUAGE plpgsql IMMUTABLE
      AS 'BEGIN RETURN (SELECT price FROM ${testSchema}.rate WHERE id = $1); END';
    CREATE TABLE chosen (id int) PARTITION BY LIST (price_of(id));
    CREATE TABLE even PARTITION OF chosen FOR VALUES IN (0); CREATE TABLE odd PARTITION OF chosen FOR VALUES IN (1);
    CREATE TABLE filled (id int, price int GENERATED ALWAYS AS (price_of(id)) STORED) PARTITION BY HASH (id);
    CREATE TABLE filled_0 PARTITION OF filled FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE filled_1 PARTITION OF filled FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE alone (price int GENERATED ALWAYS AS (price_of(7)) STORED); INSERT INTO alone DEFAULT VALUES;
    INSERT INTO chosen SELECT id FROM rate; INSERT INTO filled SELECT id FROM rate`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  await sql`DELETE FROM filled WHERE id < 9`
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})

t.test('a table whose indexes and statistics depend on the search_path is saved with qualified names', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE FUNCTION plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION f_plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE TABLE person (name text, of regclass, plain text GENERATED ALWAYS AS (f_plain(name)) STORED);
    CREATE TABLE zebra (of regclass);
    CREATE INDEX ON person (f_plain(name)); CREATE STATISTICS on_person ON f_plain(name), of FROM person;
    INSERT INTO person VALUES ('Ada', 'person'); INSERT INTO zebra VALUES ('person'); ANALYZE person;
    CREATE OR REPLACE FUNCTION f_plain (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)'`)
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const backup = await engine.create()
  const of = `${testSchema}.person`
  t.strictSame(JSON.parse(dataPart(read(backup)).slice(0, -2)), {
    person: [{ name: 'Ada', of, plain: 'ada' }],
    zebra: [{ of }]
  })
  await sql`INSERT INTO person VALUES ('Bob')`
  t.strictSame((await engine.restore(backup.id)).drift, [])
  t.same(await sql`SELECT name, plain FROM person`, [{ name: 'Ada', plain: 'ada' }])
})

t.test('expressions run under the role\'s own settings, and rows are restored unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  const settings = {
    timezone: 'Europe/Berlin',
    datestyle: 'German, DMY',
    intervalstyle: 'sql_standard',
    extra_float_digits: '-3',
    bytea_output: 'escape'
  }
  for (const [name, value] of Object.entries(settings)) {
    await sql.unsafe(`ALTER DATABASE "${new URL(url).pathname.slice(1)}" SET ${name} = '${value}';
      SET ${name} = '${value}'`)
  }
  await sql.unsafe(`CREATE FUNCTION local_day (timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT $1::date';
    CREATE FUNCTION shown (date, float8, bytea, interval) RETURNS text
      LANGUAGE sql IMMUTABLE AS 'SELECT concat_ws('' '', $1, $2, $3, $4)';
    CREATE TABLE day (starts timestamptz CHECK (starts = date_trunc('day', starts)),
      CHECK (local_day(starts) > '2000-01-01'::date));
    CREATE TABLE event (id int, at timestamptz, day date, f float8, b bytea, i interval,
      shown text GENERATED ALWAYS AS (shown(day, f, b, i)) STORED);
    CREATE INDEX ON event (local_day(at));
    CREATE TABLE part (at timestamptz) PARTITION BY LIST (local_day(at));
    CREATE TABLE part_5 PARTITION OF part FOR VALUES IN ('2026-06-05'::date);
    CREATE TABLE part_4 PARTITION OF part FOR VALUES IN ('2026-06-04'::date);
    INSERT INTO day VALUES ('2026-06-05 00:00'); INSERT INTO part VALUES ('2026-06-05 00:30'), ('2026-06-04 23:30');
    INSERT INTO event (id, at, day, f, b, i) VALUES (1, '2026-06-05 00:30', '2026-06-05', 0.1234567890123456,
      '\\x00ff61', '-1 year 2 days -03:04:05.6'),
      (2, 'infinity', '0044-03-15 BC', 'NaN', '', '-1 days'),
        (3, '2026-10-25 02:30+02', '12345-01-02', -0.0, '\\x5c27', '1 mon -1 day')`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.strictSame((await engine.restore(id)).drift, [])
  await sameDatabase(t, sql, before)
  await sql.unsafe('SET enable_seqscan = off')
  t.same(await sql.unsafe("SELECT id FROM event WHERE local_day(at) = '2026-06-05'::date"), [{ id: 1 }])
})

/**
 * Creates a table `a` whose functions read `b`, whose functions read `c`, which has an index over a function. The file
 * contains each of them before the table that it reads.
 */
const chain = (a: string, b: string): string => `
  CREATE FUNCTION norm (text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE TABLE c (id int PRIMARY KEY, v int, name text); CREATE INDEX ON c (norm(name));
  CREATE FUNCTION of_c (int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT v FROM ${testSchema}.c WHERE id = $1';
  CREATE TABLE b (id int PRIMARY KEY${b}
  CREATE FUNCTION of_b (int) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN (SELECT v FROM ${testSchema}.b WHERE id = $1); END';
  CREATE TABLE a (id int${a}
  INSERT INTO c SELECT i, i % 3, 'N' FROM generate_series(1, 30) i; INSERT INTO b (id) SELECT id FROM c;
  INSERT INTO a (id) SELECT id FROM c;`

t.test('tables whose functions read each other in a chain are loaded in the order of the chain', async (t) => {
  for (const [what, a] of Object.entries({
    column: ', v int GENERATED ALWAYS AS (of_b(id)) STORED);',
    index: '); CREATE INDEX ON a (of_b(id));',
    'unique index': `); CREATE UNIQUE INDEX ON a (of_b(id)) WHERE id < 3;
      CREATE UNIQUE INDEX ON a (coalesce(of_b(id), -1), (CASE WHEN of_b(id) IS NULL THEN 0 ELSE id END));`,
    partition: `) PARTITION BY LIST (of_b(id)); CREATE TABLE a_0 PARTITION OF a FOR VALUES IN (0);
      CREATE TABLE a_1 PARTITION OF a FOR VALUES IN (1);
      CREATE TABLE a_other PARTITION OF a DEFAULT;`
  })) {
    const { sql, url } = await useDatabase(t)
    await sql.unsafe(chain(a, ', v int GENERATED ALWAYS AS (of_c(id)) STORED);'))
    const { engine } = await useEngineWithFiles(t, { connection: url })
    const { id } = await engine.create()
    const before = await readState(sql)
    await sql`DELETE FROM a WHERE id < 9`
    const { preRestoreId, drift } = await engine.restore(id)
    t.strictSame(drift, [], what)
    await sameDatabase(t, sql, before)
    await sql.unsafe('SET enable_seqscan = off')
    t.same(await sql.unsafe('SELECT count(*)::int FROM a WHERE of_b(id) = 2'), [{ count: 10 }])
    await engine.restore(preRestoreId)
  }
})

t.test('a restore of tables whose functions read each other\'s tables fails', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(chain(', v int); CREATE INDEX ON a (of_b(id));', ', v int);'))
  await sql.unsafe(`CREATE FUNCTION of_a (int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT v
      FROM ${testSchema}.a WHERE id = $1); END'; CREATE INDEX ON b (of_a(id))`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  const message = /of (?:a, b|a|b) read tables whose own functions read these tables in turn/
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message })
  await sameDatabase(t, sql, before)
})

t.test('an error that has nothing to do with the order of tables fails the restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(chain('); CREATE INDEX ON a (of_b(id));', ', v int);'))
  const directory = await useDirectory(t)
  let isBroken = false
  let opened = 0
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    storage: storageWith(directory, {
      open: async (storage, name, range) => isBroken && ++opened > 2
        ? Readable.from([Buffer.from('no snapshot')])
        : await storage.open(name, range)
    })
  })
  const { id } = await engine.create()
  await sql`DELETE FROM c WHERE id > 1`
  await sql`CREATE UNIQUE INDEX ON c (norm(name))`
  const before = await readState(sql)
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message: /23505.* c_norm_idx1/s })
  await sameDatabase(t, sql, before)
  await sql`DROP INDEX c_norm_idx1`
  isBroken = true
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
})

t.test('a plan and a restore report that track_counts is off if they need it to find an order', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(chain('); CREATE INDEX ON a (of_b(id));', ', v int);'))
  // This default does not run, since the snapshot has values for the column
  await sql`CREATE TABLE d (v int DEFAULT of_c(1))`
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe(`ALTER DATABASE "${new URL(url).pathname.slice(1)}" SET track_counts = off`)
  const { engine: uncounted } = await useEngineWithFiles(t, { connection: url, storagePath })
  const problem = 'track_counts is off, and without it a restore can\'t find out which tables the functions of a, c ' +
    'read; turn it on'
  t.strictSame((await uncounted.plan(id)).drift.map(({ problem }) => problem), [problem])
  t.strictSame((await rejectionOf(t, uncounted.restore(id), 'FST_BACKUP_CANNOT_RESTORE')).problems, [problem])
})

t.test('a new default and the check of a domain within an array find rows in the tables that they read', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE settings (owner int); INSERT INTO settings VALUES (7);
    CREATE FUNCTION default_owner () RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT owner
      FROM ${testSchema}.settings); END';
    CREATE FUNCTION is_owner (int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN EXISTS (SELECT
      FROM ${testSchema}.settings WHERE owner = $1); END';
    CREATE DOMAIN owner AS int CHECK (is_owner(VALUE)); CREATE TYPE pair AS (owner owner);
    CREATE TABLE item (id int); INSERT INTO item VALUES (1); CREATE TABLE arrays (owners owner[], pair pair);
    INSERT INTO arrays VALUES ('{7}', ROW(7))`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql`ALTER TABLE item ADD COLUMN owner int NOT NULL DEFAULT default_owner()`
  t.strictSame((await engine.plan(id)).warnings, [
    'item has columns that the snapshot lacks, and every row gets their default: owner'
  ])
  await engine.restore(id)
  t.same(await sql`SELECT * FROM item`, [{ id: 1, owner: 7 }])
  t.same(await sql`SELECT owners::text FROM arrays`, [{ owners: '{7}' }])
})

t.test('a table that has none of its columns any more is drift, and its rows are not restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE FUNCTION f (int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
    CREATE FUNCTION f (text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
    CREATE TABLE item (a int, g text GENERATED ALWAYS AS (f(a)::text) STORED); INSERT INTO item VALUES (1);
    CREATE TABLE none (); INSERT INTO none DEFAULT VALUES`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe(`DROP TABLE item; CREATE TABLE item (b text DEFAULT 'new', g text GENERATED ALWAYS AS (f(b)) STORED);
    ALTER TABLE none ADD COLUMN b text`)
  const problem = 'has none of its columns any more'
  t.strictSame((await engine.plan(id)).drift, [{ table: 'item', problem }, { table: 'none', problem }])
  t.strictSame((await engine.restore(id, { allowSchemaDrift: true })).tables, [])
  t.same(await sql`SELECT count(*)::int FROM item`, [{ count: 0 }])
})
