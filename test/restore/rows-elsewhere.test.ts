import t from 'tap'
import { quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'

const home = quoteIdentifier(testSchema)

t.test('tables in other schemas that inherit from one of the schema are named in the warnings', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE SCHEMA old; CREATE TABLE log (id int); CREATE TABLE recent () INHERITS (log);
    CREATE TABLE plain (id int);
    CREATE TABLE old.y2020 () INHERITS (log); CREATE TABLE old.y2020_may () INHERITS (old.y2020);
    CREATE TABLE old.may () INHERITS (recent, plain);
    CREATE TABLE ignored () INHERITS (log); CREATE TABLE old.ignored () INHERITS (ignored);
    CREATE TABLE old.y1999 () INHERITS (log);
    CREATE TABLE back () INHERITS (old.y2020_may); CREATE TABLE old.back () INHERITS (back);
    INSERT INTO log VALUES (1); INSERT INTO recent VALUES (2); INSERT INTO back VALUES (3);
    INSERT INTO old.y2020 VALUES (20); INSERT INTO old.may VALUES (5)`)
  const excludeTables = ['ignored', 'old.y1999', 'log_none']
  const { engine, read } = await useEngineWithFiles(t, { connection: url, excludeTables })
  const warnings = [
    'old.back inherits from back, and the rows there are not in this snapshot',
    'old.y2020, old.y2020_may inherit from log, and the rows there are not in this snapshot',
    'old.may inherits from plain, and the rows there are not in this snapshot',
    'old.may inherits from recent, and the rows there are not in this snapshot'
  ]
  const backup = await engine.create()
  t.match(backup, { status: 'completed', rowCount: 3, tableCount: 4 })
  t.strictSame(backup.warnings, warnings)
  t.strictSame((await engine.get(backup.id)).warnings, warnings)
  t.notMatch(read(backup), /"id":20/)
  const before = await readState(sql)
  await sql.unsafe('DELETE FROM ONLY log; DELETE FROM ONLY back')
  const { preRestoreId } = await engine.restore(backup.id)
  await sameDatabase(t, sql, before)
  t.strictSame((await engine.get(preRestoreId)).warnings, warnings)
  const some = await engine.restore(backup.id, { tables: ['plain'] })
  t.strictSame((await engine.get(some.preRestoreId)).warnings, [warnings[2]], 'only for the tables in the snapshot')
})

t.test('the log records which tables were excluded, except the log table', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE carts (id int);
    CREATE TABLE sessions (id int)`)
  const excludeTables = ['sessions', 'backup_logs', 'gone']
  const { engine } = await useEngineWithFiles(t, { connection: url, excludeTables })
  const { id } = await engine.create({ excludeTables: [`${testSchema}.carts`] })
  const { preRestoreId } = await engine.restore(id, { tables: ['a'] })
  const counts = async (id: string): Promise<unknown> => (await sql`SELECT row_counts FROM backup_logs
      WHERE id = ${id}`)[0]?.row_counts
  t.strictSame(await counts(id), { a: 0, b: 0, carts: null, sessions: null })
  t.strictSame(await counts(preRestoreId), { a: 0, sessions: null })
})

t.test('the warning also names foreign tables, and at most ten of the tables', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE TABLE log (id int);
    CREATE FOREIGN TABLE remote () INHERITS (log) SERVER files OPTIONS (filename '/dev/null'); CREATE SCHEMA old;
    CREATE TABLE "more" (id int);
    CREATE FUNCTION add () RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      FOR i IN 10 .. 24 LOOP EXECUTE format('CREATE TABLE old.y%s () INHERITS (${home}."more")', i); END LOOP; END $$;
      SELECT add()`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { warnings } = await engine.create()
  t.strictSame(warnings, [
    `${testSchema}.remote inherits from log, and the rows there are not in this snapshot`,
    'old.y10, old.y11, old.y12, old.y13, old.y14, old.y15, old.y16, old.y17, old.y18, old.y19, 5 more ' +
      'inherit from more, and the rows there are not in this snapshot'
  ])
})

t.test('partitions whose root is in another schema have a warning', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE SCHEMA app; CREATE TABLE app.events (id int) PARTITION BY LIST (id);
    CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES IN (1);
    CREATE TABLE events_2 PARTITION OF app.events FOR VALUES IN (2) PARTITION BY LIST (id);
    CREATE TABLE events_2_2 PARTITION OF events_2 FOR VALUES IN (2);
    CREATE TABLE events_3 PARTITION OF app.events FOR VALUES IN (3);
    CREATE TABLE events_4 PARTITION OF app.events FOR VALUES IN (4);
    CREATE TABLE own (id int) PARTITION BY LIST (id); CREATE TABLE own_1 PARTITION OF own FOR VALUES IN (1);
    INSERT INTO app.events VALUES (1), (2), (3); INSERT INTO own VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url, excludeTables: ['somewhere.else'] })
  const rowsAreElsewhere = 'of app.events, and the rows there are in snapshots of the schema app, not in this one'
  const named = ['events_2_2', 'events_3', 'events_4'].map((name) => `${testSchema}.${name}`).join(', ')
  const warnings = [`${named} are partitions ${rowsAreElsewhere}`]
  const backup = await engine.create()
  t.match(backup, { tableCount: 1, rowCount: 1 })
  t.strictSame(backup.warnings, warnings)
  const whole = await engine.create({ schema: 'app' })
  t.match(whole, { tableCount: 1, rowCount: 3 })
  t.strictSame(whole.warnings, [])
  const partial = await engine.create({ excludeTables: ['events_2_2', 'events_4'] })
  t.strictSame(partial.warnings, [`${testSchema}.events_3 is a partition ${rowsAreElsewhere}`])
  const { preRestoreId } = await engine.restore(backup.id)
  t.strictSame((await engine.get(preRestoreId)).warnings, warnings)
  const some = await engine.restore(backup.id, { tables: ['own'] })
  t.strictSame((await engine.get(some.preRestoreId)).warnings, [], 'no warning for a restore of selected tables')
})

for (const [what, owns, child] of [
  ['itself', 'ALTER EXTENSION plpgsql ADD TABLE chunks.chunk_1', 'chunks.chunk_1'],
  ['by its schema, as those of TimescaleDB are', 'ALTER EXTENSION plpgsql ADD SCHEMA chunks', 'chunks.chunk_1'],
  ['in the schema of its parent', `CREATE TABLE chunk_2 () INHERITS (metrics);
    ALTER EXTENSION plpgsql ADD TABLE chunk_2; ALTER TABLE chunks.chunk_1 NO INHERIT metrics`, `${testSchema}.chunk_2`]
]) {
  t.test(`rows in a table that belongs to an extension, ${what}, are a problem that names both`, async (t) => {
    const { sql, url } = await useDatabase(t)
    await sql.unsafe('CREATE TABLE metrics (at int); CREATE TABLE other (id int); INSERT INTO other VALUES (1)')
    const { engine } = await useEngineWithFiles(t, { connection: url })
    const { id } = await engine.create()
    await sql.unsafe(`CREATE SCHEMA chunks; CREATE TABLE chunks.chunk_1 () INHERITS (metrics);
      INSERT INTO chunks.chunk_1 VALUES (1); ${owns}`)
    const problems = [`rows of metrics are in ${child}, which belong to the extension plpgsql ` +
      'and cannot be read apart from it; exclude metrics']
    const before = await readState(sql)
    const snapshotRejection = await rejectionOf(t, engine.create(), 'FST_BACKUP_CANNOT_SNAPSHOT')
    t.match(snapshotRejection.message, String(problems[0]))
    t.strictSame(snapshotRejection.problems, problems)
    t.strictSame((await rejectionOf(t, engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE')).problems, problems)
    const { ok, drift } = await engine.plan(id)
    t.strictSame({ ok, drift }, { ok: false, drift: problems.map((problem) => ({ table: testSchema, problem })) })
    await sameDatabase(t, sql, before)
    const { rowCount, warnings } = await engine.create({ excludeTables: ['metrics'] })
    t.strictSame({ rowCount, warnings }, { rowCount: 1, warnings: [] })
    t.match(await engine.restore(id, { tables: ['other'] }), { rowCount: 1 })
  })
}

t.test('tables of Citus are a problem that names them', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE SCHEMA tenant; CREATE TABLE tenant.orders (id int); CREATE TABLE local (id int);
    CREATE TABLE countries (code text);
    CREATE TABLE events (id int) PARTITION BY LIST (id); CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
    INSERT INTO local VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const { id: ofTenant } = await engine.create({ schema: 'tenant' })
  // The catalog tables of Citus, with the columns that the library reads
  await sql.unsafe(`SET allow_system_table_mods = on;
    CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char");
    CREATE TABLE pg_catalog.pg_dist_local_group (groupid int); INSERT INTO pg_catalog.pg_dist_local_group VALUES (0);
    CREATE TABLE pg_catalog.pg_dist_schema (schemaid oid, colocationid int); RESET allow_system_table_mods`)
  t.match(await engine.create(), { rowCount: 1 }, 'a coordinator without distributed tables is like any other server')
  await sql.unsafe(`INSERT INTO pg_catalog.pg_dist_partition VALUES ('countries', 'n'), ('events', 'h'),
      ('events_1', 'h');
    INSERT INTO pg_catalog.pg_dist_schema VALUES ('tenant'::regnamespace, 1)`)
  const problemOf = (schema: string, name: string): string =>
    `${schema}.${name} is a table of Citus, whose nodes cannot be read at one moment; exclude ${name}`
  for (const [schema, backup, problems] of [
    [testSchema, id, [problemOf(testSchema, 'countries'), problemOf(testSchema, 'events')]],
    ['tenant', ofTenant, [problemOf('tenant', 'orders')]]
  ] as const) {
    t.strictSame((await rejectionOf(t, engine.create({ schema }), 'FST_BACKUP_CANNOT_SNAPSHOT')).problems, problems)
    t.strictSame((await rejectionOf(t, engine.restore(backup), 'FST_BACKUP_CANNOT_RESTORE')).problems, problems)
  }
  t.match(await engine.create({ excludeTables: ['countries', 'events'] }), { rowCount: 1 })
  t.match(await engine.restore(id, { tables: ['local'] }), { rowCount: 1 })

  await sql`UPDATE pg_catalog.pg_dist_local_group SET groupid = 2`
  const problems = ['the connection leads to a worker node of Citus; connect to the coordinator']
  const creating = engine.create({ excludeTables: ['countries', 'events'] })
  t.strictSame((await rejectionOf(t, creating, 'FST_BACKUP_CANNOT_SNAPSHOT')).problems, problems)
  const restoring = engine.restore(id, { tables: ['local'] })
  t.strictSame((await rejectionOf(t, restoring, 'FST_BACKUP_CANNOT_RESTORE')).problems, problems)
})
