import t, { type Test } from 'tap'
import type { Sql } from 'postgres'
import { cancelBlocked, untilBlocked } from '../postgres/backends.ts'
import { useDatabase } from '../support/database.ts'
import { useEngine } from './use-engine.ts'

/** A session that alters tables while the library lists and locks them. */
interface Rival {
  begin: (statement: string) => Promise<void>
  /** Commits when somebody waits for its locks. */
  commitWhenAwaited: () => Promise<void>
  /** So, and takes the same locks again, in line behind whoever got them: whatever was listed before is outdated then. */
  commitAndGoOn: (statement: string) => Promise<void>
  end: () => Promise<void>
}

async function useRival (t: Test, sql: Sql): Promise<Rival> {
  const session = await sql.reserve()
  t.after(async () => { session.release() })
  const [{ pid }] = await session<[{ pid: number }]>`SELECT pg_backend_pid() AS pid`

  async function untilAwaited (): Promise<void> {
    for (;;) {
      const [waiting] = await sql<Array<{ pid: number }>>`SELECT pid FROM pg_stat_activity WHERE ${pid} = ANY (pg_blocking_pids(pid))`
      if (waiting !== undefined) return await untilBlocked(sql, waiting.pid)
    }
  }

  return {
    async begin (statement) { await session.unsafe(`BEGIN; ${statement}`) },
    async commitWhenAwaited () {
      await untilAwaited()
      await session`COMMIT`
    },
    async commitAndGoOn (statement) {
      await untilAwaited()
      await session.unsafe(`COMMIT; BEGIN; ${statement}`)
    },
    async end () { await session`COMMIT` }
  }
}

t.test('a table that is altered between listing and locking is listed again', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  await sql`INSERT INTO item VALUES (1)`
  const { engine, read } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)

  await rival.begin('ALTER TABLE item ADD COLUMN a int DEFAULT 5')
  const [backup] = await Promise.all([engine.create(), rival.commitWhenAwaited()])
  t.match(read(backup), /{"id":1,"a":5}/)

  await rival.begin('ALTER TABLE item ADD COLUMN b int; UPDATE item SET id = 2')
  const [result] = await Promise.all([engine.restore(backup.id), rival.commitWhenAwaited()])
  t.match(result, { rowCount: 1, drift: [] })
  t.same([...await sql`SELECT id, a, b FROM item`], [{ id: 1, a: 5, b: null }])
})

t.test('a table that is dropped in between is missed, or drift', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe('CREATE TABLE item (id int); CREATE TABLE other (id int); INSERT INTO item VALUES (1)')
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  const { id, tableCount } = await engine.create()
  t.equal(tableCount, 2)

  await rival.begin('DROP TABLE other')
  const [backup] = await Promise.all([engine.create(), rival.commitWhenAwaited()])
  t.match(backup, { tableCount: 1, rowCount: 1 })

  await sql`CREATE TABLE other (id int)`
  await rival.begin('DROP TABLE other')
  const drift = [{ table: 'other', problem: 'is in the snapshot, and not in the schema' }]
  await Promise.all([t.rejects(engine.restore(id), { code: 'FST_BACKUP_SCHEMA_DRIFT', drift }), rival.commitWhenAwaited()])
})

t.test('a snapshot whose locks are held for too long tries again', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  await rival.begin('LOCK TABLE item')
  const creating = engine.create()
  // As its statement timeout would
  await cancelBlocked(sql, 2)
  await rival.end()
  t.match(await creating, { status: 'completed', tableCount: 1 })
})

t.test('rows that are committed while the locks are awaited are in the pre_restore snapshot', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int)`
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  const { id } = await engine.create()
  await rival.begin('INSERT INTO item SELECT generate_series(1, 10)')
  const [{ preRestoreId }] = await Promise.all([engine.restore(id), rival.commitWhenAwaited()])
  t.equal((await sql`SELECT 1 FROM item`).length, 0)
  t.match(await engine.get(preRestoreId), { rowCount: 10 })
})

t.test('a table that is emptied and filled again while its lock is awaited is never seen empty', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item AS SELECT generate_series(1, 10) AS id`
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  await rival.begin('TRUNCATE item; INSERT INTO item SELECT generate_series(1, 7)')
  const [backup] = await Promise.all([engine.create(), rival.commitWhenAwaited()])
  t.match(backup, { rowCount: 7 })
})

t.test('what was altered while its lock was awaited is taken as it is, at the first attempt', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item AS SELECT 1 AS id`
  const { engine, read } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  const { id } = await engine.create()
  let changes = 0
  // None of them adds a default: its text can not be read before the lock is free
  const alterations: Array<(change: number) => string> = [
    () => 'TRUNCATE item; INSERT INTO item VALUES (2)',
    (change) => `ALTER TABLE item ADD COLUMN c${change} int`,
    (change) => `GRANT ${['SELECT', 'INSERT', 'UPDATE'][change % 3]} ON item TO PUBLIC`,
    (change) => `COMMENT ON TABLE item IS 'change ${change}'`
  ]
  for (const alteration of alterations) {
    const alter = (): string => `LOCK TABLE item; ${alteration(++changes)}`
    await rival.begin(alter())
    const creating = engine.create()
    // It gets the lock again when the snapshot is done with it
    await rival.commitAndGoOn(alter())
    const { backups: [newest] } = await engine.list()
    t.match(newest, { status: 'completed', trigger: 'manual' }, alteration(changes))
    const restoring = creating.then(async () => await engine.restore(id))
    await rival.commitAndGoOn(alter())
    t.match(await engine.get(id), { status: 'restored', restore: { status: 'completed' } }, alteration(changes))
    await rival.end()
    const [backup, { preRestoreId }] = await Promise.all([creating, restoring])
    for (const { filename } of [backup, await engine.get(preRestoreId)]) t.match(read({ ...backup, filename }), /{"id":2[,}]/)
    await sql`UPDATE item SET id = 2`
  }
})

t.test('drift that appears while the locks are awaited is refused', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int, a int)`
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  const { id } = await engine.create()
  await sql`INSERT INTO item VALUES (1, 2)`
  await rival.begin('ALTER TABLE item DROP COLUMN a')
  const drift = [{ table: 'item', column: 'a', problem: 'is in the snapshot, and not in the table' }]
  await Promise.all([t.rejects(engine.restore(id), { code: 'FST_BACKUP_SCHEMA_DRIFT', drift }), rival.commitWhenAwaited()])
  t.same([...await sql`SELECT * FROM item`], [{ id: 1 }])
})

t.test('a catalog that never stands still is told, in the end', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int) PARTITION BY LIST (id)`
  const { engine } = await useEngine(t, { connection: url })
  const rival = await useRival(t, sql)
  const { id } = await engine.create()
  const unstable = { code: 'FST_BACKUP_CATALOG_UNSTABLE', statusCode: 409 }
  const calls: Array<[() => Promise<unknown>, number]> = [[engine.create, 10], [async () => await engine.restore(id), 5]]
  for (const [call, attempts] of calls) {
    const add = (attempt: number): string => `CREATE TABLE item_${attempts}_${attempt} PARTITION OF item FOR VALUES IN (${attempts * 100 + attempt})`
    await rival.begin(add(0))
    const refused = t.rejects(call(), unstable)
    for (let attempt = 1; attempt <= attempts; attempt++) await rival.commitAndGoOn(add(attempt))
    await refused
    await rival.end()
  }
  t.match(await engine.create(), { status: 'completed' }, 'afterwards it goes well')
})
