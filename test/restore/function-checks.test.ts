import postgres from 'postgres'
import t from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'

/** Tables whose names sort before and after those of the tables that their checks read. */
const checks = `
  CREATE TABLE kind (name text PRIMARY KEY, top text); CREATE TABLE zone (name text);
  CREATE FUNCTION known (text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM zone
    WHERE name = $1)';
  CREATE FUNCTION is_zone (text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN known($1) = known($2); END';
  CREATE OPERATOR ?= (LEFTARG = text, RIGHTARG = text, FUNCTION = is_zone);
  INSERT INTO zone VALUES ('a'), ('b');
  CREATE DOMAIN zone_name AS text CHECK (known(VALUE)); CREATE DOMAIN upper_zone AS zone_name CHECK (VALUE <> '');
  COMMENT ON CONSTRAINT zone_name_check ON DOMAIN zone_name IS 'of the domain';
  CREATE TABLE by_domain (zone zone_name, other upper_zone); INSERT INTO by_domain VALUES ('a', 'b');
  CREATE TABLE by_function (zone text CONSTRAINT known CHECK (known(zone)), plain int CHECK (plain > 0));
    INSERT INTO by_function VALUES ('b', 1);
  COMMENT ON CONSTRAINT known ON by_function IS 'it''s "known"';
  CREATE TABLE by_operator (zone text CHECK (zone ?= 'a') NO INHERIT); INSERT INTO by_operator VALUES ('a');
  CREATE TABLE by_cast (zone text CHECK (zone::zone_name IS NOT NULL)); INSERT INTO by_cast VALUES ('a');
  CREATE TABLE branch (zone text, CONSTRAINT inherited CHECK (known(zone))); CREATE TABLE leaf () INHERITS (branch);
  CREATE TABLE own_too (CONSTRAINT inherited CHECK (known(zone))) INHERITS (branch); INSERT INTO leaf VALUES ('a');
    INSERT INTO own_too VALUES ('b');
  CREATE TABLE a_part (zone text CONSTRAINT of_root CHECK (known(zone))) PARTITION BY LIST (zone);
    CREATE TABLE a_part_a PARTITION OF a_part DEFAULT;
  COMMENT ON CONSTRAINT of_root ON a_part_a IS 'of the leaf'; INSERT INTO a_part VALUES ('a');`

t.test('checks that read tables through a function are validated when all rows are loaded', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await owner.unsafe(checks)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.match(await engine.plan(id), { ok: true })
  await engine.restore(id)
  await sameDatabase(t, sql, before)
  await damageEverything(sql)
  const { preRestoreId } = await engine.restore(id)
  await sameDatabase(t, sql, before)
  await engine.restore(preRestoreId)
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})

t.test('a check that the rows violate fails the restore, and the error names it', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(checks)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe('DELETE FROM zone')
  const before = await readState(sql)
  const cases = [
    ['by_function', 'table by_function, constraint known'],
    ['by_domain', 'domain zone_name, constraint zone_name_check']
  ] as const
  for (const [table, named] of cases) {
    const message = new RegExp(`23514, ${named.replace(' ', ` ${testSchema}.`)}`)
    await t.rejects(engine.restore(id, { tables: [table] }), { code: 'FST_BACKUP_RESTORE_FAILED', message })
    await sameDatabase(t, sql, before)
  }
})

t.test('a check that could not be created again is kept: of a domain within arrays, or of another owner', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await sql.unsafe(`CREATE FUNCTION even (int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 % 2 = 0';
    CREATE DOMAIN even_number AS int CHECK (even(VALUE));
    CREATE TABLE theirs (a int, CONSTRAINT evens CHECK (even(a)))`)
  const role = new URL(ownerUrl).username
  await sql.unsafe(`ALTER TABLE theirs OWNER TO "${role}"`)
  await owner.unsafe(`CREATE DOMAIN even_too AS int CHECK (even(VALUE)); CREATE TABLE used (a even_number, b even_too);
    CREATE TABLE held (list even_too[]); CREATE TABLE ours () INHERITS (theirs);
    INSERT INTO used VALUES (2, 4); INSERT INTO held VALUES ('{2}'); INSERT INTO ours VALUES (6)`)
  await sql.unsafe(`ALTER TABLE theirs OWNER TO CURRENT_USER; GRANT SELECT ON theirs TO "${role}"`)
  const { engine } = await useEngineWithFiles(t, { connection: ownerUrl, excludeTables: ['theirs'] })
  const { id } = await engine.create()
  const before = await readState(sql)
  t.match(await engine.plan(id), { ok: true })
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})
