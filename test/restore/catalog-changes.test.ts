import t, { type Test } from 'tap'
import type { Sql } from 'postgres'
import { cancelBlocked } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { rejectionOf } from './rejection.ts'

/** A session that alters tables while the library lists and locks them. */
interface OtherSession {
  begin: (statement: string) => Promise<void>
  /** Commits when another session waits for its locks. */
  commitWhenBlocking: () => Promise<void>
  /** Commits likewise, and requests the same locks again at once: whatever was listed before is outdated then. */
  commitAndLockAgain: (statement: string) => Promise<void>
  end: () => Promise<void>
}

async function useOtherSession (t: Test, sql: Sql): Promise<OtherSession> {
  const session = await sql.reserve()
  t.after(async () => { session.release() })
  const [{ pid }] = await session<[{ pid: number }]>`SELECT pg_backend_pid() AS pid`

  async function untilBlocking (): Promise<void> {
    await until(async () => {
      const blocked = await sql`SELECT FROM pg_stat_activity WHERE ${pid} = ANY (pg_blocking_pids(pid))`
      return blocked.length > 0
    })
  }

  return {
    async begin (statement) { await session.unsafe(`BEGIN; ${statement}`) },
    async commitWhenBlocking () {
      await untilBlocking()
      await session`COMMIT`
    },
    async commitAndLockAgain (statement) {
      await untilBlocking()
      await session.unsafe(`COMMIT; BEGIN; ${statement}`)
    },
    async end () { await session`COMMIT` }
  }
}

t.test('a table that is altered between listing and locking is listed again', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  await sql`INSERT INTO item VALUES (1)`
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)

  await other.begin('ALTER TABLE item ADD COLUMN a int DEFAULT 5')
  const [backup] = await Promise.all([engine.create(), other.commitWhenBlocking()])
  t.match(read(backup), /{"id":1,"a":5}/)

  await other.begin('ALTER TABLE item ADD COLUMN b int; UPDATE item SET id = 2')
  const [result] = await Promise.all([engine.restore(backup.id), other.commitWhenBlocking()])
  t.match(result, { rowCount: 1 })
  t.strictSame(result.drift, [])
  t.same([...await sql`SELECT id, a, b FROM item`], [{ id: 1, a: 5, b: null }])
})

t.test('a table that is dropped between listing and locking is left out, or drift', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe('CREATE TABLE item (id int); CREATE TABLE other (id int); INSERT INTO item VALUES (1)')
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  const { id, tableCount } = await engine.create()
  t.equal(tableCount, 2)

  await other.begin('DROP TABLE other')
  const [backup] = await Promise.all([engine.create(), other.commitWhenBlocking()])
  t.match(backup, { tableCount: 1, rowCount: 1 })

  await sql`CREATE TABLE other (id int)`
  await other.begin('DROP TABLE other')
  const drift = [{ table: 'other', problem: 'is in the snapshot, and not in the schema' }]
  const restoring = rejectionOf(t, engine.restore(id), 'FST_BACKUP_SCHEMA_DRIFT')
  await other.commitWhenBlocking()
  t.strictSame((await restoring).drift, drift)
})

t.test('a snapshot retries when another session holds its locks for too long', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  await other.begin('LOCK TABLE item')
  const creating = engine.create()
  // Like its statement timeout
  await cancelBlocked(sql, 2)
  await other.end()
  t.match(await creating, { status: 'completed', tableCount: 1 })
})

t.test('rows that are committed while a restore waits for its locks are in the pre_restore snapshot', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  const { id } = await engine.create()
  await other.begin('INSERT INTO item SELECT generate_series(1, 10)')
  const [{ preRestoreId }] = await Promise.all([engine.restore(id), other.commitWhenBlocking()])
  t.equal((await sql`SELECT 1 FROM item`).length, 0)
  t.match(await engine.get(preRestoreId), { rowCount: 10 })
})

t.test('a table that is emptied and filled again during the wait for its lock is never seen empty', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item AS SELECT generate_series(1, 10) AS id`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  await other.begin('TRUNCATE item; INSERT INTO item SELECT generate_series(1, 7)')
  const [backup] = await Promise.all([engine.create(), other.commitWhenBlocking()])
  t.match(backup, { rowCount: 7 })
})

t.test('a table that is altered during the wait for its lock needs no further attempt', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item AS SELECT 1 AS id`
  const { engine, read } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  const { id } = await engine.create()
  let changes = 0
  // None of them adds a default, because its text can't be read before the lock is released
  const alterations: Array<(change: number) => string> = [
    () => 'TRUNCATE item; INSERT INTO item VALUES (2)',
    (change) => `ALTER TABLE item ADD COLUMN c${change} int`,
    (change) => `GRANT ${['SELECT', 'INSERT', 'UPDATE'][change % 3]} ON item TO PUBLIC`,
    (change) => `COMMENT ON TABLE item IS 'change ${change}'`
  ]
  for (const alteration of alterations) {
    const alter = (): string => `LOCK TABLE item; ${alteration(++changes)}`
    await other.begin(alter())
    const creating = engine.create()
    // The session gets the lock again when the snapshot releases it
    await other.commitAndLockAgain(alter())
    const { backups: [newest] } = await engine.list()
    t.match(newest, { status: 'completed', trigger: 'manual' }, alteration(changes))
    const restoring = creating.then(async () => await engine.restore(id))
    await other.commitAndLockAgain(alter())
    t.match(await engine.get(id), { status: 'restored', restore: { status: 'completed' } }, alteration(changes))
    await other.end()
    const [backup, { preRestoreId }] = await Promise.all([creating, restoring])
    for (const { filename } of [backup, await engine.get(preRestoreId)]) {
      t.match(read({ ...backup, filename }), /{"id":2[,}]/)
    }
    await sql`UPDATE item SET id = 2`
  }
})

t.test('a restore is rejected when drift appears while it waits for its locks', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int, a int)`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  const { id } = await engine.create()
  await sql`INSERT INTO item VALUES (1, 2)`
  await other.begin('ALTER TABLE item DROP COLUMN a')
  const drift = [{ table: 'item', column: 'a', problem: 'is in the snapshot, and not in the table' }]
  const restoring = rejectionOf(t, engine.restore(id), 'FST_BACKUP_SCHEMA_DRIFT')
  await other.commitWhenBlocking()
  t.strictSame((await restoring).drift, drift)
  t.same([...await sql`SELECT * FROM item`], [{ id: 1 }])
})

t.test('a catalog that changes during every attempt is reported as an error', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int) PARTITION BY LIST (id)`
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const other = await useOtherSession(t, sql)
  const { id } = await engine.create()
  const unstable = { code: 'FST_BACKUP_CATALOG_UNSTABLE', statusCode: 409 }
  const calls: Array<[() => Promise<unknown>, number]> = [
    [engine.create, 10],
    [async () => await engine.restore(id), 5]
  ]
  for (const [call, attempts] of calls) {
    const add = (attempt: number): string => `CREATE TABLE item_${attempts}_${attempt} PARTITION OF item
        FOR VALUES IN (${attempts * 100 + attempt})`
    await other.begin(add(0))
    const rejected = t.rejects(call(), unstable)
    for (let attempt = 1; attempt <= attempts; attempt++) await other.commitAndLockAgain(add(attempt))
    await rejected
    await other.end()
  }
  t.match(await engine.create(), { status: 'completed' }, 'and the next call succeeds')
})
