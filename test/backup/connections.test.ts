import postgres from 'postgres'
import t from 'tap'
import { copyRanges } from '../../lib/backup/copy-ranges.ts'
import { withFurtherTransactions } from '../../lib/postgres/further-transactions.ts'
import { createPool, type Sql } from '../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { everyConnection, locksLeft, untilBlocked, untilUnlocked } from '../support/backends.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { useEngine, usePlace } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { useReading } from './range-reading.ts'

const shapes = `
  CREATE TABLE wide (id int, a text, b numeric, c timestamptz, d jsonb, e int[], "Ü ""f" text);
  INSERT INTO wide SELECT i, repeat(chr(97 + i % 26), i % 300), i * 1.5, '2026-01-01'::timestamptz + i * interval '1 s',
    jsonb_build_object('k', i), ARRAY[i, NULL, i + 1], E'a\\\\b\\tc"' || i FROM generate_series(1, 60000) i;
  CREATE TABLE narrow AS SELECT i FROM generate_series(1, 300000) i;
  CREATE TABLE texts (id int, text text);
  ALTER TABLE texts ALTER text SET STORAGE EXTERNAL;
  INSERT INTO texts SELECT i, repeat(md5(i::text), 30000) FROM generate_series(1, 12) i;
  CREATE TABLE dead AS SELECT i, repeat('d', 500) AS text FROM generate_series(1, 30000) i;
  UPDATE dead SET text = 'new' WHERE i % 7 = 0;
  DELETE FROM dead WHERE i % 3 = 0;
  CREATE TABLE gap AS SELECT i, repeat('g', 500) AS text FROM generate_series(1, 30000) i;
  DELETE FROM gap WHERE i BETWEEN 100 AND 29900;
  CREATE TABLE emptied AS SELECT i, repeat('e', 500) AS text FROM generate_series(1, 20000) i;
  DELETE FROM emptied;
  CREATE TABLE split (id int, gone int, text text) PARTITION BY RANGE (id);
  CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (20000);
  CREATE TABLE split_2 (text text, id int);
  ALTER TABLE split_2 ADD gone int;
  ALTER TABLE split ATTACH PARTITION split_2 FOR VALUES FROM (20000) TO (30000);
  INSERT INTO split SELECT i, i, repeat('p', 700) FROM generate_series(0, 29999) i;
  ALTER TABLE split DROP gone;
  CREATE TABLE nothing ();
  CREATE TABLE dropped (word text);
  INSERT INTO dropped SELECT repeat('x', 1000) FROM generate_series(1, 10000);
  ALTER TABLE dropped DROP word;
  CREATE TABLE late AS SELECT 1 AS one;`

// With ssl, rows come from postgres.js, also when the server has no TLS
for (const options of [{}, { ssl: 'prefer' as const }]) {
  t.test(`the file is the same for any number of connections (${JSON.stringify(options)})`, async (t) => {
    const place = await usePlace(t)
    await place.sql.unsafe(shapes)
    const { pool, take } = await useReading(t, place, options)
    const one = await take(1)
    t.equal(one.ranges, 0, 'one connection reads whole tables')
    for (const connections of [2, 3, 8]) {
      const several = await take(connections)
      t.ok(several.file.equals(one.file), `${connections} connections`)
      t.equal(several.readers, connections)
      t.ok(several.ranges > 30, `${several.ranges} ranges`)
    }
    t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
    t.strictSame(await locksLeft(place.sql), [], 'no lock is left')
  })
}

const never = new AbortController().signal

/** More than the smallest table that is read in ranges. */
const large = "CREATE TABLE item AS SELECT i, repeat('x', 700) AS text FROM generate_series(1, 20000) i;"

t.test('no further connection is opened for small tables', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const { take } = await useReading(t, { ...place, url: proxy.url })
  let exports = 0
  proxy.onSent = (text) => { if (text.includes('pg_export_snapshot')) exports++ }
  await take(8)
  t.equal(exports, 0)
  await place.sql.unsafe(large)
  await take(8)
  t.equal(exports, 1)
})

t.test('what others commit after the snapshot is in no range', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(large)
  const { take } = await useReading(t, place)
  const before = await take(1)
  const during = await take(3, {
    async onLocked () {
      await place.sql.unsafe(`UPDATE item SET text = 'changed' WHERE i % 2 = 0; DELETE FROM item WHERE i % 5 = 0;
        INSERT INTO item SELECT i, repeat('y', 700) FROM generate_series(1, 20000) i`)
    }
  })
  t.equal(during.readers, 3)
  t.ok(during.file.equals(before.file))
  t.notOk((await take(3)).file.equals(before.file), 'the changes are visible to the next snapshot')
})

t.test('expressions that find functions by the search_path of the role are planned under it', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(`${large}
    ALTER TABLE item ADD kind regclass;
    UPDATE item SET kind = 'users'::regclass WHERE i < 3;
    CREATE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION two() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 2; END';
    CREATE INDEX ON item ((i + two()));
    CREATE OR REPLACE FUNCTION two() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN one() + 1; END';
    CREATE FUNCTION never(tid, tid) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT false';
    CREATE OPERATOR >= (FUNCTION = never, LEFTARG = tid, RIGHTARG = tid);
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = ${testSchema}, pg_catalog',
      current_database()); END $$;`)
  const { take } = await useReading(t, place)
  const one = await take(1)
  const several = await take(2)
  t.equal(several.readers, 2)
  t.ok(several.file.equals(one.file))
})

t.test('one connection reads everything while another session waits for a table', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(large)
  const { take, pool } = await useReading(t, place)
  const one = await take(1)
  let waiting: Promise<unknown> = Promise.resolve()
  const several = await take(3, {
    async onLocked () {
      waiting = place.sql`ALTER TABLE users ADD later int`.execute()
      await untilBlocked(place.sql)
    }
  })
  await waiting
  t.equal(several.ranges, 0)
  t.ok(several.file.equals(one.file))
  t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
})

t.test('one connection reads everything when the server accepts no other', async (t) => {
  const { sql, url, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owned = postgres(ownerUrl, { max: 1 })
  await owned.unsafe(large)
  await owned.end()
  const { take } = await useReading(t, { url: ownerUrl, directory: await useDirectory(t) })
  const role = decodeURIComponent(new URL(ownerUrl).username)
  t.equal((await take(2)).readers, 2)
  await sql`ALTER ROLE ${sql(role)} CONNECTION LIMIT 1`
  await until(async () => (await sql`SELECT FROM pg_stat_activity WHERE usename = ${role}`).length <= 1)
  t.equal((await take(2)).ranges, 0)
  t.ok(url)
})

t.test('no further transaction begins on another server, behind a pooler or a lock, or late', async (t) => {
  const { url, sql } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  const other = await useDatabase(t)
  const proxy = await useTcpProxy(t, url)
  proxy.freeze()
  const [pool, elsewhere, silent] = [createPool(url), createPool(other.url), createPool(proxy.url)]
  t.after(async () => { await Promise.all([pool, elsewhere, silent].map(async (some) => { await some.end() })) })
  const relations = [{ schema: testSchema, name: 'item' }]
  let waiting: Promise<unknown> = Promise.resolve()
  await inTransaction(pool, 'ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
    await tx.run(`LOCK TABLE ${testSchema}.item IN ACCESS SHARE MODE`)
    const countFrom = async (from: Sql, openingTimeoutMs: number, first = tx): Promise<number> => {
      const request = { count: 2, relations, serverVersion: 0, signal: never, openingTimeoutMs }
      return await withFurtherTransactions(from, first, request, async (further) => further.length)
    }
    t.equal(await countFrom(pool, 600_000), 2)
    const behindPooler = { ...tx, isDirect: async () => false }
    t.equal(await countFrom(pool, 600_000, behindPooler), 0)
    t.equal(await countFrom(elsewhere, 600_000), 0)
    t.equal(await countFrom(silent, 50), 0)
    waiting = sql`ALTER TABLE item ADD later int`.execute()
    await untilBlocked(sql)
    t.equal(await countFrom(pool, 600_000), 0)
  })
  await waiting
  t.strictSame(await locksLeft(sql), [])
})

t.test('a reader that fails ends the statements of all connections', async (t) => {
  const { url, sql } = await useDatabase(t)
  await sql.unsafe(large)
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  const failure = new Error('the disk is full')
  let rows = 0
  const caught = await inTransaction(pool, 'ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
    const request = { count: 2, relations: [{ schema: testSchema, name: 'item' }], serverVersion: 0, signal: never }
    await withFurtherTransactions(pool, tx, request, async (further) => {
      const reader = {
        begin () {},
        row () {
          if (++rows === 5000) throw failure
          return undefined
        }
      }
      await copyRanges([tx, ...further], 40, reader, (range) =>
        ['COPY (SELECT WHERE false) TO STDOUT', `COPY (SELECT ${range} FROM ${testSchema}.item) TO STDOUT`])
    })
  }).catch((error: unknown) => error)
  t.equal(caught, failure)
  t.equal(rows, 5000)
  t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
  t.strictSame(await locksLeft(sql), [])
})

t.test('an abort ends every connection of the backup', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(large)
  const proxy = await useTcpProxy(t, place.url)
  const { take } = await useReading(t, { ...place, url: proxy.url })
  for (const when of [' NOWAIT', 'OPERATOR(pg_catalog']) {
    const stopping = new AbortController()
    const reason = new Error(`aborted at ${when}`)
    proxy.onSent = (text) => { if (text.includes(when)) stopping.abort(reason) }
    t.equal(await take(3, { signal: stopping.signal }).catch((error: unknown) => error), reason)
    await untilUnlocked(place.sql)
    const left = await place.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'fastify-backup%'`
    t.equal(left.length, 0)
  }
})

t.test('a further connection that is lost fails the backup', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(large)
  const proxy = await useTcpProxy(t, place.url)
  const { take, pool } = await useReading(t, { ...place, url: proxy.url })
  let copies = 0
  proxy.onSent = (text, link) => { if (text.includes('OPERATOR(pg_catalog') && ++copies === 2) link.cut() }
  t.match(await take(2).catch((error: unknown) => error), { code: 'CONNECTION_CLOSED' })
  await untilUnlocked(place.sql)
  t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
  t.equal((await take(2)).readers, 2, 'the next one works')
})

t.test('the option is that of every backup', async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(large)
  const engine = useEngine(t, place, { connections: 2 })
  const { rowCount, id } = await engine.create()
  t.equal(rowCount, 20_005)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })
  t.strictSame(await locksLeft(place.sql), [])
})
