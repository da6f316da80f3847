import t from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'

t.test('the actions of foreign keys fire in the same order after a restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE owner (id int PRIMARY KEY);
    CREATE TABLE item (a int, b int, CONSTRAINT z_restrict FOREIGN KEY (a) REFERENCES owner ON DELETE RESTRICT);
    ALTER TABLE item ADD CONSTRAINT a_cascade FOREIGN KEY (b) REFERENCES owner ON DELETE CASCADE;
    CREATE TABLE note (owner int REFERENCES owner ON DELETE CASCADE);
    CREATE TABLE alias (owner int REFERENCES owner ON DELETE SET NULL);
    INSERT INTO owner VALUES (1); INSERT INTO item VALUES (1, 1); INSERT INTO note VALUES (1);
    INSERT INTO alias VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  const order = async (): Promise<string[]> => (await sql`SELECT con.conname
    FROM pg_trigger t JOIN pg_constraint con ON con.oid = t.tgconstraint
    WHERE t.tgrelid = 'owner'::regclass AND t.tgtype = 9 ORDER BY t.tgname`).map(({ conname }) => conname)
  const keys = ['z_restrict', 'a_cascade', 'note_owner_fkey', 'alias_owner_fkey']
  t.same(await order(), keys)
  for (const tables of [undefined, ['item'], ['owner']]) {
    await t.rejects(sql`DELETE FROM owner`, /z_restrict/)
    await engine.restore(id, { ...tables !== undefined && { tables } })
    t.same((await order()).filter((name) => name === 'z_restrict' || name === 'a_cascade'), ['z_restrict', 'a_cascade'])
    await sameDatabase(t, sql, before)
  }
})

t.test('a detached partition keeps its foreign key, and a partition keeps another name of its key', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE customer (id int PRIMARY KEY);
    CREATE TABLE event (day date, customer int REFERENCES customer ON DELETE CASCADE) PARTITION BY RANGE (day);
    CREATE TABLE detached PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE renamed PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
    CREATE TABLE attached (day date, customer int CONSTRAINT other REFERENCES customer ON DELETE CASCADE);
    ALTER TABLE event ATTACH PARTITION attached FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
    ALTER TABLE renamed RENAME CONSTRAINT event_customer_fkey TO of_its_own;
    ALTER TABLE event ADD CONSTRAINT again FOREIGN KEY (customer) REFERENCES customer ON DELETE CASCADE;
    ALTER TABLE renamed RENAME CONSTRAINT again TO another;
    ALTER TABLE event DETACH PARTITION detached;
    INSERT INTO customer VALUES (1); INSERT INTO event VALUES ('2021-05-05', 1), ('2022-05-05', 1);
    INSERT INTO detached VALUES ('2020-05-05', 1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const first = await engine.create()
  const keys = async (): Promise<unknown[]> => [...await sql`SELECT con.conrelid::regclass::text, con.conname,
      up.conname AS above, pg_get_constraintdef(con.oid) AS definition
    FROM pg_constraint con LEFT JOIN pg_constraint up ON up.oid = con.conparentid WHERE con.contype = 'f'
      ORDER BY 1, 2`]
  const { rows } = await readState(sql)
  const declared = await keys()
  await sql`DELETE FROM customer`
  const damaged = await readState(sql)
  t.match(await engine.plan(first.id), { ok: true })
  const { preRestoreId } = await engine.restore(first.id)
  t.same((await readState(sql)).rows, rows)
  t.same(await keys(), declared)
  await engine.restore(preRestoreId)
  t.same((await readState(sql)).rows, damaged.rows, 'the pre_restore snapshot is restored likewise')
  t.same(await keys(), declared)
})

t.test('a foreign key keeps the unique index that it depends on', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE owner (a int, b int, PRIMARY KEY (a, b)); CREATE UNIQUE INDEX newer ON owner (b, a);
    CREATE TABLE "the (item)" (x int, y int, FOREIGN KEY (x, y) REFERENCES owner (a, b));
    INSERT INTO owner VALUES (1, 2); INSERT INTO "the (item)" VALUES (1, 2)`)
  await sql`REINDEX INDEX CONCURRENTLY owner_pkey`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.match(await engine.plan(id), { ok: true })
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})

t.test('a restore is rejected if a foreign key would depend on another unique index after it', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE owner (a int CONSTRAINT older UNIQUE); CREATE UNIQUE INDEX newer ON owner (a);
    CREATE TABLE item (a int REFERENCES owner (a)); INSERT INTO owner VALUES (1); INSERT INTO item VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 2 })
  await sql`REINDEX INDEX CONCURRENTLY older`
  const before = await readState(sql)
  const message = new RegExp(`foreign key item_a_fkey of ${testSchema}.item depends on the unique index ` +
    `${testSchema}.older, and would depend on ${testSchema}.newer`)
  t.match(await engine.plan(id), { ok: false })
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_CANNOT_RESTORE', message })
  await sameDatabase(t, sql, before)
  await sql`DROP INDEX newer`
  t.match(await engine.restore(id), { rowCount: 2 })
  await sql`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'older'::regclass`
  const { drift } = await engine.plan(id)
  t.match(JSON.stringify(drift), /depends on the unique index .*older, and would depend on no other/)
})
