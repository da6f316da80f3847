import t, { type Test } from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { type EngineWithFiles, useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'
import type { Sql } from 'postgres'

const home = testSchema

/** A database with a snapshot, which is changed afterwards. */
async function useSnapshot (t: Test, ddl: string, change: string): Promise<EngineWithFiles & { sql: Sql, id: string }> {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(ddl)
  const under = await useEngineWithFiles(t, { connection: url })
  const { id } = await under.engine.create()
  await sql.unsafe(change)
  return { ...under, sql, id }
}

const events = `CREATE TABLE events (id int, note text) PARTITION BY RANGE (id);
  CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
  CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
  CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30);
  INSERT INTO events VALUES (1, 'secret'), (11, 'secret')`

t.test('a row without a partition fails the restore, the error says so, and the plan warns of it', async (t) => {
  const { engine, read, sql, id } = await useSnapshot(t, events, 'DROP TABLE events_3')
  const partitions = /"name":"events","rows":2,[^[]*"partitions":\["events_1","events_2"\]/
  t.match(read(await engine.get(id)), partitions, 'those that held rows')
  const { ok, warnings } = await engine.plan(id)
  t.strictSame({ ok, warnings }, { ok: true, warnings: [] }, 'no warning of a partition that held no rows')
  await sql`DROP TABLE events_1`
  t.strictSame((await engine.plan(id)).warnings, [
    'events had rows in events_1, which is not a partition of it any more; ' +
    'unless other partitions accept these rows, the restore fails'
  ])
  const before = await readState(sql)
  await t.rejects(engine.restore(id), {
    code: 'FST_BACKUP_RESTORE_FAILED',
    message: new RegExp(`: a row of ${home}\\.events has no partition, SQLSTATE 23514, table ${home}\\.events$`)
  })
  await sameDatabase(t, sql, before)
  await sql`CREATE TABLE rest PARTITION OF events DEFAULT`
  t.match(await engine.restore(id), { rowCount: 2 })
})

t.test('many missing partitions make one warning, which names ten of them', async (t) => {
  const names = Array.from({ length: 12 }, (_, key) => `${key === 0 ? 'a_far.' : ''}e_${key}`)
  const partitions = names.map((name, key) => `CREATE TABLE ${name} PARTITION OF events FOR VALUES IN (${key});`)
  const { engine, id } = await useSnapshot(t, `CREATE SCHEMA a_far; CREATE TABLE events (id int) PARTITION BY LIST (id);
    ${partitions.join('')} INSERT INTO events SELECT generate_series(0, 11)`, `DROP TABLE ${names.join(', ')}`)
  const [warning] = (await engine.plan(id)).warnings
  t.match(
    warning,
    /^events had rows in a_far\.e_0, e_1, e_10, .*, e_7, 2 more, which are not partitions of it any more;/
  )
})

t.test('an error message of COPY names the table', async (t) => {
  const faults = [{
    ddl: 'CREATE TABLE rates (a int, b int); INSERT INTO rates VALUES (1, 0)',
    change: 'TRUNCATE rates; ALTER TABLE rates ADD COLUMN c int GENERATED ALWAYS AS (a / b) STORED',
    message: `SQLSTATE 22012, table ${home}.rates`
  }, {
    ddl: `CREATE TABLE trees (tree pg_node_tree); INSERT INTO trees SELECT adbin FROM pg_attrdef LIMIT 1;
      INSERT INTO trees SELECT ev_action FROM pg_rewrite LIMIT 1`,
    change: 'TRUNCATE trees',
    message: `SQLSTATE 0A000, table ${home}.trees`
  }, {
    ddl: 'CREATE TABLE first (id int); CREATE TABLE notes (id int); INSERT INTO notes VALUES (1)',
    change: `CREATE FUNCTION refuse (int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret'; END $$;
      TRUNCATE notes; ALTER TABLE notes ADD CHECK (refuse(id))`,
    message: `SQLSTATE P0001, table ${home}.notes, constraint notes_id_check`
  }, {
    ddl: `CREATE TABLE parted (id int) PARTITION BY LIST (id);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1)`,
    change: 'TRUNCATE parted; ALTER TABLE parted_1 ADD CONSTRAINT never CHECK (id > 1)',
    message: `SQLSTATE 23514, table ${home}.parted_1, in the COPY of ${home}.parted, constraint never`
  }]
  for (const { ddl, change, message } of faults) {
    const { engine, id } = await useSnapshot(t, ddl, change)
    const failure = await rejectionOf(t, engine.restore(id), 'FST_BACKUP_RESTORE_FAILED')
    t.equal(failure.message.split('the data is unchanged: ')[1], message)
  }
})

t.test('a row that is too large to send fails the snapshot, and the error names its table', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE files (id int, content bytea);
    INSERT INTO files VALUES (1, convert_to(repeat('x', 540000000), 'UTF8'))`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  await t.rejects(engine.create(), {
    code: 'FST_BACKUP_CANNOT_SNAPSHOT',
    message: /table files contains a row that is too large to send: as text it exceeds 1 GB \(SQLSTATE (XX000|54000)\)/
  })
})
