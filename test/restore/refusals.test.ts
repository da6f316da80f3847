import postgres from 'postgres'
import t, { type Test } from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { createPool } from '../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { readServer } from '../../lib/postgres/catalog/server.ts'
import { restoreProblems } from '../../lib/restore/restore-problems.ts'
import type { RestoreScope } from '../../lib/restore/restore-scope.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'
import { catalogRelation } from './catalog-relation.ts'

interface RejectedRestore {
  sql: postgres.Sql
  url: string
  /** Run before the snapshot. */
  statements: string
  /** Run after the snapshot. */
  damage: string
  /** `problems` lists all of them, in order. */
  expected: { code: string, message?: RegExp, problems?: Array<string | RegExp> }
}

/** Asserts that a restore is rejected or rolled back: the database is the same before and after. */
async function rejectsRestore (t: Test, { sql, url, statements, damage, expected }: RejectedRestore): Promise<void> {
  await sql.unsafe(statements)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe(damage)
  const before = await readState(sql)
  const { message, problems } = await rejectionOf(t, engine.restore(id), expected.code)
  if (expected.message !== undefined) t.match(message, expected.message)
  const { problems: expectedProblems = [] } = expected
  t.equal(problems.length, expectedProblems.length)
  for (const [index, problem] of expectedProblems.entries()) t.match(problems[index], problem)
  await sameDatabase(t, sql, before)
  const locks = await sql`SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.pid <> pg_backend_pid()`
  t.equal(locks.length, 0, 'no lock is left')
}

/** The error for rows of audit_logs. */
const dangling = (rows: string, table: string, key: string): RegExp => new RegExp(
  `${rows} in ${testSchema}.audit_logs would refer to nothing in ${testSchema}.${table}, by the foreign key ${key}`)

t.test('excluded rows that would refer to nothing fail the restore, and the error counts them', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE users (id int, part int, PRIMARY KEY (id, part));
      CREATE TABLE audit_logs (user_id int, part int, CONSTRAINT who
        FOREIGN KEY (user_id, part) REFERENCES users ON DELETE CASCADE);
      INSERT INTO users VALUES (1, 1)`,
    damage: 'INSERT INTO users VALUES (2, 1), (3, 1); INSERT INTO audit_logs VALUES (1, 1), (2, 1), (3, 1), (NULL, 1)',
    expected: { code: 'FST_BACKUP_RESTORE_FAILED', message: dangling('2 rows', 'users', 'who') }
  })
})

t.test('the same applies to foreign keys of partitioned tables, and to MATCH FULL', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE users (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
      CREATE TABLE users_1 PARTITION OF users FOR VALUES IN (1);
      CREATE TABLE audit_logs (user_id int, part int, CONSTRAINT who
        FOREIGN KEY (user_id, part) REFERENCES users MATCH FULL) PARTITION BY LIST (part);
      CREATE TABLE audit_logs_1 PARTITION OF audit_logs FOR VALUES IN (1);
      CREATE TABLE audit_logs_rest PARTITION OF audit_logs DEFAULT; INSERT INTO users VALUES (1, 1)`,
    damage: 'INSERT INTO users VALUES (2, 1); INSERT INTO audit_logs VALUES (1, 1), (2, 1), (NULL, NULL)',
    expected: { code: 'FST_BACKUP_RESTORE_FAILED', message: dangling('1 rows', 'users', 'who') }
  })
})

t.test('rows of a temporal key are reported without their number', async (t) => {
  const { sql, url } = await useDatabase(t)
  const [server] = await sql`SELECT current_setting('server_version_num')::int AS version`
  if (server?.version < 180000) return t.pass('PostgreSQL 17 and earlier have no temporal keys')
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE EXTENSION btree_gist;
      CREATE TABLE rates (id int, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
      CREATE TABLE audit_logs (id int, during daterange, CONSTRAINT at_that_time
        FOREIGN KEY (id, PERIOD during) REFERENCES rates (id, PERIOD during))`,
    damage: `INSERT INTO rates VALUES (1, '[2020-01-01,2021-01-01)');
      INSERT INTO audit_logs VALUES (1, '[2020-02-01,2020-03-01)')`,
    expected: { code: 'FST_BACKUP_RESTORE_FAILED', message: dangling(': rows', 'rates', 'at_that_time') }
  })
})

t.test('any error of a foreign key that is created again rolls the restore back', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (user_id int REFERENCES users);
      INSERT INTO users VALUES (1)`,
    damage: `CREATE FUNCTION refuse () RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN IF current_query() ~ 'ADD CONSTRAINT' THEN RAISE EXCEPTION 'not today'; END IF; END $$;
      CREATE EVENT TRIGGER refuses ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse()`,
    expected: { code: 'FST_BACKUP_RESTORE_FAILED', message: /SQLSTATE P0001/ }
  })
})

t.test('a restore that would change the schema is rolled back', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (user_id int REFERENCES users);
      INSERT INTO users VALUES (1)`,
    damage: `CREATE FUNCTION add () RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN IF current_query() ~ 'ADD CONSTRAINT' THEN
          CREATE INDEX IF NOT EXISTS one_more ON ${testSchema}.users (id);
        END IF; END $$;
      CREATE EVENT TRIGGER adds ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION add()`,
    expected: { code: 'FST_BACKUP_RESTORE_FAILED', message: /the restore would change the schema itself: .*one_more/ }
  })
})

t.test('a restore is rejected if a foreign key is disabled, because it could not be created so again', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE users (id int PRIMARY KEY);
      CREATE TABLE orders (user_id int CONSTRAINT buyer REFERENCES users)`,
    damage: 'ALTER TABLE orders DISABLE TRIGGER ALL',
    expected: {
      code: 'FST_BACKUP_CANNOT_RESTORE',
      problems: [`the foreign key buyer of ${testSchema}.orders is disabled by DISABLE TRIGGER ALL; enable it`]
    }
  })
})

t.test('a restore is rejected in a session that fires no triggers and checks no foreign keys', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    // A setting at the start of the session
    url: `${url}?session_replication_role=replica`,
    statements: 'CREATE TABLE users (id int)',
    damage: 'INSERT INTO users VALUES (1)',
    expected: {
      code: 'FST_BACKUP_CANNOT_RESTORE',
      problems: ['session_replication_role is replica for this role; it must be origin']
    }
  })
})

t.test('a restore is rejected if a domain of another owner has a NOT VALID constraint', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await sql`CREATE DOMAIN age AS int`
  await owner`CREATE TABLE people (age age)`
  await sql`INSERT INTO people VALUES (-1)`
  await sql`ALTER DOMAIN age ADD CONSTRAINT born CHECK (VALUE >= 0) NOT VALID`
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const { problems } = await rejectionOf(t, engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE')
  t.strictSame(problems, [`the role does not own the domain ${testSchema}.age, whose constraint born is NOT VALID`])
})

t.test('a restore is rejected if it needs more locks than the server has room for', async (t) => {
  const { url } = await useDatabase(t)
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
    const table = catalogRelation('1', testSchema, 'many')
    const scope: RestoreScope = {
      tables: [],
      untouched: [],
      drift: [],
      toLock: [],
      recordedSequences: [],
      sequences: [],
      sequencesToLock: [],
      foreignKeys: [],
      triggers: [],
      checks: [],
      withUserCode: new Set(),
      fingerprinted: { relations: [], domains: [], restored: [] },
      relations: Array.from({ length: 1_000_000 }, () => table)
    }
    const problems = await restoreProblems(tx, scope, await readServer(tx), () => false)
    t.equal(problems.length, 1)
    t.match(problems[0], new RegExp('^1000000 tables and partitions need about 6000000 locks, ' +
      'and the server has room for \\d+; raise max_locks_per_transaction$'))
  })
})

t.test('forced row security, which hides rows from the owner, is reported as a problem of the table', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await owner.unsafe('CREATE TABLE secrets (id int); INSERT INTO secrets VALUES (1), (2)')
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  await owner`ALTER TABLE secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`
  const before = await readState(sql)
  for (const [call, code] of [
    [engine.create, 'FST_BACKUP_CANNOT_SNAPSHOT'],
    [async () => await engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE']
  ] as const) {
    const { problems } = await rejectionOf(t, call(), code)
    t.equal(problems.length, 1)
    t.match(problems[0], new RegExp(`^row security may hide rows of ${testSchema}.secrets`))
  }
  const { ok, tables } = await engine.plan(id)
  t.equal(ok, false)
  t.strictSame(tables, [{ name: 'secrets', rowsNow: 0, rowsAfter: 2 }], 'hidden rows are not counted')
  await sameDatabase(t, sql, before)

  await sql.unsafe(`ALTER ROLE "${new URL(ownerUrl).username}" BYPASSRLS`)
  const { id: whole } = await engine.create()
  await owner`TRUNCATE secrets`
  t.match(await engine.restore(whole), { rowCount: 2 })
  await sameDatabase(t, sql, before)
})

t.test('rows that violate a constraint which was added after the snapshot fail the restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE a (id int); CREATE TABLE z (email text); INSERT INTO a VALUES (1);
      INSERT INTO z VALUES ('secret@example.org'), ('secret@example.org')`,
    damage: 'TRUNCATE z; CREATE UNIQUE INDEX only_once ON z (email)',
    expected: {
      code: 'FST_BACKUP_RESTORE_FAILED',
      message: new RegExp(`: SQLSTATE 23505, table ${testSchema}.z, constraint only_once$`)
    }
  })
})

t.test('a foreign table among the partitions is a problem for a snapshot and for a restore', async (t) => {
  const { sql, url } = await useDatabase(t)
  await rejectsRestore(t, {
    sql,
    url,
    statements: `CREATE TABLE events (id int) PARTITION BY LIST (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); INSERT INTO events VALUES (1)`,
    damage: `CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
      CREATE FOREIGN TABLE events_2 PARTITION OF events FOR VALUES IN (2) SERVER files OPTIONS (filename '/dev/null')`,
    expected: {
      code: 'FST_BACKUP_CANNOT_RESTORE',
      problems: [/events_2 is a foreign table and a partition of events/]
    }
  })
  // Its rows name files in the storage of the other engine
  await sql`DROP TABLE backup_logs`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { problems } = await rejectionOf(t, engine.create(), 'FST_BACKUP_CANNOT_SNAPSHOT')
  t.equal(problems.length, 1)
  t.match(problems[0], /events_2 is a foreign table/)
})

t.test('a restore by a role that owns only some of the tables is rejected with all that it lacks', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  const role = new URL(ownerUrl).username
  await owner.unsafe('CREATE TABLE mine (id int PRIMARY KEY)')
  await sql.unsafe(`CREATE TABLE theirs (id serial PRIMARY KEY, mine_id int CONSTRAINT to_mine REFERENCES mine);
    CREATE TABLE parents (id int PRIMARY KEY); GRANT SELECT ON ALL TABLES IN SCHEMA ${testSchema} TO "${role}";
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${testSchema} TO "${role}";
    GRANT REFERENCES ON parents TO "${role}"`)
  await owner.unsafe(`ALTER TABLE mine ADD COLUMN parent_id int, ADD CONSTRAINT to_parents
      FOREIGN KEY (parent_id) REFERENCES parents`)
  await sql.unsafe(`REVOKE REFERENCES ON parents FROM "${role}"; INSERT INTO mine VALUES (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  const problems = [
    `the role does not own ${testSchema}.parents`,
    `the role does not own ${testSchema}.theirs`,
    `the role does not own the sequence ${testSchema}.theirs_id_seq`,
    `the role does not own ${testSchema}.theirs, whose foreign key to_mine has to be checked again`,
    `the role lacks the REFERENCES privilege on ${testSchema}.parents, for the foreign key to_parents`
  ]
  const rejection = await rejectionOf(t, engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE')
  t.strictSame(rejection.problems.sort(), problems.sort())
  t.match(await engine.plan(id), { ok: false })
  await sameDatabase(t, sql, before)
})

t.test('a snapshot of tables that the role may not read fails, and names them', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  await sql.unsafe(`CREATE TABLE hidden (id int); CREATE TABLE screened (id int); GRANT SELECT ON screened TO PUBLIC;
    ALTER TABLE screened ENABLE ROW LEVEL SECURITY`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { problems } = await rejectionOf(t, engine.create(), 'FST_BACKUP_CANNOT_SNAPSHOT')
  t.equal(problems.length, 2)
  t.match(problems[0], new RegExp(`lacks the SELECT privilege on ${testSchema}.hidden`))
  t.match(problems[1], new RegExp(`row security may hide rows of ${testSchema}.screened`))
  await sql.unsafe('DROP TABLE hidden, screened')
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await sql.unsafe('CREATE SEQUENCE counted; GRANT USAGE ON SEQUENCE counted TO PUBLIC')
  await owner.unsafe("CREATE TABLE numbered (id int DEFAULT nextval('counted'))")
  const message = new RegExp(`lacks the SELECT privilege on the sequence ${testSchema}.counted`)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_CANNOT_SNAPSHOT', message })
})

t.test('a snapshot of a SQL_ASCII database fails if it contains bytes that are not UTF-8', async (t) => {
  const { sql, url } = await useDatabase(t, { encoding: 'SQL_ASCII' })
  await sql.unsafe("CREATE TABLE texts (line text); INSERT INTO texts VALUES ('Grüße')")
  const { engine } = await useEngineWithFiles(t, { connection: url })
  t.match(await engine.create(), { rowCount: 1 })
  await sql.unsafe("INSERT INTO texts VALUES (convert_from('\\xff', 'SQL_ASCII'))")
  await t.rejects(engine.create(), {
    code: 'FST_BACKUP_CANNOT_SNAPSHOT',
    message: /table texts contains bytes that are not UTF-8 text \(the database's encoding is SQL_ASCII\)/
  })
})
