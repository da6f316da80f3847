import type { Sql } from 'postgres'
import t from 'tap'
import { testSchema, useDatabase } from '../support/database.ts'
import { dataPart, useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'

/** Only PostgreSQL 15 attaches a partition that generates a column which its root does not generate. */
async function attaches (sql: Sql): Promise<boolean> {
  const [server] = await sql`SELECT current_setting('server_version_num')::int AS version`
  return server?.version < 160000
}

const notSince = 'PostgreSQL 16 and later do not attach a partition that generates a column which its root does not'

t.test('a partition that generates a column which its root does not is saved and restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  if (!await attaches(sql)) return t.pass(notSince)
  await sql.unsafe(`CREATE TABLE root (k int, a int, "Doubled" int) PARTITION BY LIST (k);
    CREATE TABLE plain PARTITION OF root FOR VALUES IN (1);
    CREATE TABLE leaf (a int, "Doubled" int GENERATED ALWAYS AS (a * 2) STORED, k int GENERATED ALWAYS AS (2) STORED);
    INSERT INTO leaf VALUES (2), (NULL); ALTER TABLE root ATTACH PARTITION leaf FOR VALUES IN (2);
    INSERT INTO root VALUES (1, 5, 6), (2, 7, 14)`)
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const backup = await engine.create()
  const before = await readState(sql)
  t.strictSame(JSON.parse(dataPart(read(backup)).slice(0, -2)), {
    root: [
      { k: 2, a: 2, Doubled: 4 },
      { k: 2, a: null, Doubled: null },
      { k: 2, a: 7, Doubled: 14 },
      { k: 1, a: 5, Doubled: 6 }
    ]
  })
  await sql.unsafe('DELETE FROM root WHERE a < 6; UPDATE leaf SET a = 9')
  const damaged = await readState(sql)
  const { preRestoreId } = await engine.restore(backup.id)
  await sameDatabase(t, sql, before)
  await engine.restore(preRestoreId)
  await sameDatabase(t, sql, damaged)
})

t.test('a snapshot fails if a partition generates such a column by a function', async (t) => {
  const { sql, url } = await useDatabase(t)
  if (!await attaches(sql)) return t.pass(notSince)
  await sql.unsafe(`CREATE FUNCTION rate (int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
    CREATE TABLE root (k int, a int) PARTITION BY LIST (k);
    CREATE TABLE leaf (k int, a int GENERATED ALWAYS AS (${testSchema}.rate(k)) STORED);
    ALTER TABLE root ATTACH PARTITION leaf FOR VALUES IN (1)`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { problems } = await rejectionOf(t, engine.create(), 'FST_BACKUP_CANNOT_SNAPSHOT')
  t.equal(problems.length, 1)
  t.match(problems[0], new RegExp(`^${testSchema}.leaf generates the column a by a function .*; exclude root$`))
})
