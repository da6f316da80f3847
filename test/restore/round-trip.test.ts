import postgres from 'postgres'
import t, { type Test } from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { dataPart, useEngineWithFiles } from '../support/engine.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { createTortureSchema, excludedTables, keptRelations } from './torture-schema.ts'

for (const schema of [testSchema, 'tenant "Ä"; --']) {
  t.test(`a restore returns tables of every kind in ${schema} to their former state`, async (t) => {
    await restoresEverything(t, schema)
  })
}

async function restoresEverything (t: Test, schema: string): Promise<void> {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE SCHEMA IF NOT EXISTS ${sql(schema)}`
  await createTortureSchema(sql, schema)
  const { engine, read } = await useEngineWithFiles(t, { connection: url, schema, excludeTables: excludedTables })
  const first = await engine.create()
  const before = await readState(sql)

  await damageEverything(sql, keptRelations)
  t.notSame((await readState(sql)).rows, before.rows)
  const result = await engine.restore(first.id)
  await sameDatabase(t, sql, before)
  t.equal(result.rowCount, first.rowCount)
  t.equal((await engine.get(result.preRestoreId)).rowCount, 0)

  const second = await engine.create()
  t.equal(dataPart(read(second)), dataPart(read(first)), 'byte for byte')
  await engine.restore(first.id)
  await sameDatabase(t, sql, before)
}

t.test('a role that owns the tables and is not a superuser restores them likewise', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await createTortureSchema(owner)
  const { engine, read } = await useEngineWithFiles(t, { connection: ownerUrl, excludeTables: excludedTables })
  const first = await engine.create()
  const before = await readState(sql)

  await damageEverything(sql, keptRelations)
  await engine.restore(first.id)
  await sameDatabase(t, sql, before)
  t.equal(dataPart(read(await engine.create())), dataPart(read(first)), 'byte for byte')
})

t.test('a tenant is cloned into another schema, even if the sequences there have other names', async (t) => {
  const { sql, url } = await useDatabase(t)
  for (const [schema, sequence] of [['tenant_a', 'numbers'], ['tenant_b', 'users_id_seq']]) {
    await sql.unsafe(`CREATE SCHEMA ${schema}; CREATE TYPE ${schema}.mood AS ENUM ('sad', 'ok');
      CREATE SEQUENCE ${schema}.${sequence};
      CREATE TABLE ${schema}.users (id int DEFAULT nextval('${schema}.${sequence}') PRIMARY KEY, mood ${schema}.mood,
        moods ${schema}.mood[]);
      ALTER SEQUENCE ${schema}.${sequence} OWNED BY ${schema}.users.id;
      CREATE SEQUENCE ${schema}.of_${schema} OWNED BY NONE`)
  }
  await sql.unsafe("INSERT INTO tenant_a.users (mood, moods) VALUES ('ok', '{sad,ok}'), (NULL, NULL)")
  const { engine, read } = await useEngineWithFiles(t, { connection: url, logSchema: testSchema })
  const first = await engine.create({ schema: 'tenant_a' })
  const { schema, rowCount, drift } = await engine.restore(first.id, { schema: 'tenant_b' })
  t.strictSame({ schema, rowCount, drift }, { schema: 'tenant_b', rowCount: 2, drift: [] })
  t.strictSame([...await sql`SELECT id, mood, moods::text FROM tenant_b.users ORDER BY id`], [
    { id: 1, mood: 'ok', moods: '{sad,ok}' },
    { id: 2, mood: null, moods: null }
  ])
  t.same([...await sql`INSERT INTO tenant_b.users DEFAULT VALUES RETURNING id`], [{ id: 3 }])
  const inserted = [...await sql`INSERT INTO tenant_a.users DEFAULT VALUES RETURNING id`]
  t.strictSame(inserted, [{ id: 3 }], 'the sequence of the other tenant is unchanged')
  t.match(read(await engine.create({ schema: 'tenant_b' })), /"rows":3/)
})

t.test('a sequence in another schema than the table that uses it is saved and restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE SCHEMA counters; CREATE SEQUENCE counters.shared INCREMENT -3;
    CREATE SEQUENCE counters.alien;
    CREATE TABLE counted (id int DEFAULT nextval('counters.shared')); INSERT INTO counted DEFAULT VALUES;
    INSERT INTO counted DEFAULT VALUES`)
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const backup = await engine.create()
  t.match(
    read(backup),
    /"sequences":\[{"name":"shared","schema":"counters","ownedBy":null,"lastValue":"-4","isCalled":true}\]/
  )
  await sql`INSERT INTO counted DEFAULT VALUES`
  await sql`SELECT nextval('counters.alien')`
  await engine.restore(backup.id)
  t.same([...await sql`INSERT INTO counted DEFAULT VALUES RETURNING id`], [{ id: -7 }])
  t.same([...await sql`SELECT nextval('counters.alien')::int AS id`], [{ id: 2 }])
})

t.test('a NOT VALID check that is valid in child tables is restored as it was', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE FUNCTION positive (int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 > 0';
    CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent); CREATE TABLE grandchild () INHERITS (child);
    INSERT INTO parent VALUES (-1); INSERT INTO child VALUES (1); INSERT INTO grandchild VALUES (2);
    ALTER TABLE parent ADD CONSTRAINT sound CHECK (positive(a)) NOT VALID; ALTER TABLE child VALIDATE CONSTRAINT sound;
    COMMENT ON CONSTRAINT sound ON child IS 'theirs'`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  const before = await readState(sql)
  await damageEverything(sql)
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})

t.test('unusual settings of the role and of the database change neither a snapshot nor a restore', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await owner.unsafe(`CREATE TABLE samples (id int PRIMARY KEY, at timestamptz, during interval, number float8,
      bytes bytea, price money, document xml, name text);
    INSERT INTO samples VALUES (1, '2020-02-03 04:05:06.789+00', '1 mon -2 days 03:04:05.6', 0.1, '\\x00ff', 12.34,
      '<a/>', 'back\\slash'), (2, 'infinity', '-1 year', 'NaN', '', NULL, 'a<b/>', E'\\n')`)
  const { engine: usual, read, storagePath } = await useEngineWithFiles(t, { connection: ownerUrl })
  const expected = dataPart(read(await usual.create()))
  const before = await readState(sql)
  const settings = [
    "datestyle = 'German'",
    "intervalstyle = 'iso_8601'",
    "timezone = 'Asia/Kathmandu'",
    'extra_float_digits = 0',
    "bytea_output = 'escape'",
    'search_path = nowhere',
    "statement_timeout = '30s'",
    'lock_timeout = 1',
    "idle_in_transaction_session_timeout = '30s'",
    'standard_conforming_strings = off',
    'array_nulls = off',
    "xmloption = 'document'",
    'quote_all_identifiers = on',
    "default_transaction_isolation = 'serializable'",
    "client_encoding = 'LATIN1'"
  ]
  const role = new URL(ownerUrl).username
  for (const setting of settings) {
    await sql.unsafe(`ALTER ROLE "${role}" SET ${setting}; ALTER DATABASE "${role}" SET ${setting}`)
  }
  await sql.unsafe(`ALTER ROLE "${role}" SET default_transaction_read_only = on`)
  const { engine, read: readUnusual } = await useEngineWithFiles(t, { connection: ownerUrl, storagePath })
  const backup = await engine.create()
  t.equal(dataPart(readUnusual(backup)), expected, 'byte for byte')
  await damageEverything(sql)
  await engine.restore(backup.id)
  await sameDatabase(t, sql, before)
})
