import t from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'

t.test('a plan lists drift of every kind, and a restore is rejected unless it allows drift', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`
    CREATE TABLE kept (id int, dropped text, changed int, same numeric(10,2));
    CREATE TABLE gone (id int);
    CREATE TABLE emptied (only_column int);
    CREATE SEQUENCE shared; CREATE TABLE counted (id int DEFAULT nextval('shared'));
    INSERT INTO kept VALUES (1, 'x', 5, 1.50); INSERT INTO gone VALUES (1); INSERT INTO emptied VALUES (1);
    INSERT INTO counted DEFAULT VALUES`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe(`
    ALTER TABLE kept DROP COLUMN dropped, ALTER COLUMN changed TYPE bigint, ADD COLUMN fresh int,
      ADD COLUMN wanted text NOT NULL DEFAULT '';
    ALTER TABLE kept ALTER COLUMN wanted DROP DEFAULT;
    DROP TABLE gone; CREATE VIEW gone AS SELECT 1 AS id;
    ALTER TABLE emptied DROP COLUMN only_column, ADD COLUMN other int;
    CREATE TABLE added (id int); INSERT INTO added VALUES (7)`)
  const drift = [
    { table: 'emptied', problem: 'has none of its columns any more' },
    { table: 'gone', problem: 'is in the snapshot, and not in the schema' },
    { table: 'kept', column: 'dropped', problem: 'is in the snapshot, and not in the table' },
    { table: 'kept', column: 'changed', problem: 'was integer, and is bigint' },
    { table: 'kept', column: 'wanted', problem: 'is new, NOT NULL and has no default' }
  ]
  const plan = await engine.plan(id)
  t.equal(plan.ok, false)
  t.strictSame(plan.drift, drift)
  t.strictSame(plan.untouched, ['added', 'backup_logs', 'emptied'])
  const before = await readState(sql)
  const rejection = await rejectionOf(t, engine.restore(id), 'FST_BACKUP_SCHEMA_DRIFT')
  t.match(rejection.message, /gone is in the snapshot, and not in the schema; kept.dropped/)
  t.strictSame(rejection.drift, drift)
  const withoutValue = engine.restore(id, { allowSchemaDrift: true })
  await t.rejects(withoutValue, { code: 'FST_BACKUP_RESTORE_FAILED' }, 'a column is NOT NULL and has no default')
  await sameDatabase(t, sql, before)

  await sql.unsafe(`ALTER TABLE kept ALTER COLUMN wanted SET DEFAULT 'd'; UPDATE kept SET same = 9;
    DELETE FROM counted`)
  const result = await engine.restore(id, { allowSchemaDrift: true })
  t.same(result.tables, [{ name: 'counted', rows: 1 }, { name: 'kept', rows: 1 }])
  t.same(result.drift, drift.slice(0, 4))
  t.strictSame([...await sql`SELECT id, changed::text, same::text, fresh, wanted FROM kept`], [
    { id: 1, changed: '5', same: '1.50', fresh: null, wanted: 'd' }
  ])
  t.same([...await sql`SELECT id FROM added`], [{ id: 7 }])
})

t.test('a restore of some tables does not change the others', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE authors (id int PRIMARY KEY);
    CREATE TABLE books (id serial PRIMARY KEY, author_id int REFERENCES authors);
    CREATE TABLE audit_logs (id int); INSERT INTO authors VALUES (1), (2);
    INSERT INTO books (author_id) VALUES (1), (2)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe('DELETE FROM books; INSERT INTO authors VALUES (3)')
  const plan = await engine.plan(id, { tables: ['books'] })
  t.equal(plan.ok, true)
  t.strictSame(plan.tables, [{ name: 'books', rowsNow: 0, rowsAfter: 2 }])
  const result = await engine.restore(id, { tables: ['books'] })
  t.equal(result.rowCount, 2)
  t.strictSame(result.tables, [{ name: 'books', rows: 2 }])
  t.equal((await sql`SELECT 1 FROM authors`).length, 3)
  t.same([...await sql`INSERT INTO books DEFAULT VALUES RETURNING id`], [{ id: 3 }])
  for (const table of ['nothing', 'audit_logs']) {
    const message = new RegExp(`does not contain the table ${table}`)
    await t.rejects(engine.restore(id, { tables: [table] }), { code: 'FST_BACKUP_ARGUMENT_INVALID', message })
  }
})

t.test('a table that was excluded after the snapshot is not restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1);
    INSERT INTO b VALUES (1)`)
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe('TRUNCATE a, b')
  const options = { connection: url, storagePath, excludeTables: [`${testSchema}.b`] }
  const { engine: stricter } = await useEngineWithFiles(t, options)
  const excluded = { code: 'FST_BACKUP_ARGUMENT_INVALID', message: /b is excluded/ }
  await t.rejects(stricter.restore(id, { tables: ['b'] }), excluded)
  t.strictSame((await stricter.restore(id)).tables, [{ name: 'a', rows: 1 }])
  t.equal((await sql`SELECT 1 FROM b`).length, 0)
})

t.test('the snapshot of an empty schema is empty and can be restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE SCHEMA nothing`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create({ schema: 'nothing' })
  const plan = await engine.plan(id)
  t.equal(plan.ok, true)
  t.strictSame(plan.tables, [])
  const result = await engine.restore(id)
  t.equal(result.rowCount, 0)
  t.strictSame(result.tables, [])
  await sql`DROP SCHEMA nothing`
  await t.rejects(engine.plan(id), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
})
