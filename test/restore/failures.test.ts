import { Readable } from 'node:stream'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { backupKey } from '../../lib/postgres/locks.ts'
import { killBackend } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { createGate, storageHoldingSecond, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { useDirectory } from '../support/directory.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { shop } from './shop-with-dependents.ts'

const lost = { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 }

t.test('a connection that is lost at any step leaves the database unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  const proxy = await useTcpProxy(t, url)
  const { engine } = await useEngineWithFiles(t, { connection: proxy.url, excludeTables: ['audit_logs'] })
  const { id } = await engine.create()
  await sql.unsafe("DELETE FROM orders; UPDATE users SET name = 'Eve'; SELECT setval('users_id_seq', 50)")
  const before = await readState(sql)
  // In the order of a restore
  const steps = [
    'savepoint',
    'LOCK TABLE',
    'ALTER SEQUENCE',
    'TO STDOUT',
    'setval',
    'DISABLE TRIGGER',
    'DROP CONSTRAINT "orders_user_id_fkey"',
    'DROP CONSTRAINT "positive"',
    'TRUNCATE',
    'FROM STDIN',
    'Bob',
    'SET CONSTRAINTS',
    'CONSTRAINT "positive" CHECK',
    'CONSTRAINT "orders_user_id_fkey" FOREIGN',
    'ENABLE TRIGGER',
    "SET status = 'restored'"
  ]
  for (const step of steps) {
    let cut = false
    proxy.onSent = (text, link) => {
      if (cut || !text.includes(step)) return
      cut = true
      link.cut()
    }
    await t.rejects(engine.restore(id), lost, step)
    t.ok(cut, step)
    proxy.onSent = () => {}
    await sameDatabase(t, sql, before)
    t.match((await engine.get(id)), { status: 'completed', restore: { status: 'failed' } })
  }
  t.match(await engine.restore(id), { rowCount: 4 })
})

t.test('a server process that is killed in any phase leaves the database unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  await sql`INSERT INTO users (name) SELECT repeat('x', 1000) FROM generate_series(1, 20000)`
  const directory = await useDirectory(t)
  let opened = 0
  let killAt = ''
  const kill = async (point: string): Promise<void> => {
    if (killAt !== point) return
    const backends = await sql<Array<{ pid: number }>>`SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'fastify-backup %' AND xact_start IS NOT NULL`
    for (const { pid } of backends) await killBackend(sql, pid)
    t.ok(backends.length > 0, point)
  }
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    excludeTables: ['audit_logs'],
    storage: storageWith(directory, {
      async open (storage, name, range) {
        await kill(['verify', 'load'][opened++] ?? '')
        return await storage.open(name, range)
      },
      async publish (storage, spoolPath, name) {
        await kill('publish')
        await storage.publish(spoolPath, name)
      }
    })
  })
  const { id } = await engine.create()
  await damageEverything(sql, [`${testSchema}.audit_logs`])
  await sql`INSERT INTO users (id, name) VALUES (1, 'Eve')`
  const before = await readState(sql)
  for (const point of ['verify', 'publish', 'load']) {
    opened = 0
    killAt = point
    await t.rejects(engine.restore(id), lost, point)
    await sameDatabase(t, sql, before)
  }
  opened = 0
  killAt = ''
  t.match(await engine.restore(id), { rowCount: 20004 })
})

t.test('writers wait for the end of a restore, and their rows are kept', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  const directory = await useDirectory(t)
  const { storage, publishing } = storageHoldingSecond(directory)
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    excludeTables: ['audit_logs'],
    storage
  })
  const { id } = await engine.create()
  await sql`INSERT INTO orders VALUES (3, 1, 5)`
  const restoring = engine.restore(id)
  await publishing.reached
  const writing = sql`INSERT INTO orders VALUES (4, 1, 6)`.execute()
  const reading = sql`SELECT id FROM orders ORDER BY id`.execute()
  await until(async () => (await sql`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`).length === 2)
  publishing.open()
  const { preRestoreId } = await restoring
  await writing
  await reading
  t.same([...await sql`SELECT id FROM orders ORDER BY id`], [{ id: 1 }, { id: 2 }, { id: 4 }])
  const { rowCount } = await engine.get(preRestoreId)
  t.equal(rowCount, 5, 'the pre_restore snapshot contains exactly the rows that were committed before')
})

t.test('a full disk, or a CHECK that was added after the snapshot, rolls the restore back', async (t) => {
  const { sql, url } = await useDatabase(t)
  // The error of a server whose disk is full
  await sql.unsafe(`${shop}; CREATE TABLE zebras (id int); INSERT INTO zebras SELECT generate_series(1, 1000);
    CREATE FUNCTION fits (id int) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN IF id = 500 THEN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END IF;
      RETURN true; END $$`)
  const { engine } = await useEngineWithFiles(t, { connection: url, excludeTables: ['audit_logs'] })
  const { id } = await engine.create()
  await sql.unsafe('TRUNCATE zebras; ALTER TABLE zebras ADD CONSTRAINT room CHECK (fits(id))')
  const full = await readState(sql)
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message: /53100/ })
  await sameDatabase(t, sql, full)
  await sql.unsafe('ALTER TABLE zebras DROP CONSTRAINT room, ADD CONSTRAINT few CHECK (id < 999)')
  const few = await readState(sql)
  const message = new RegExp(`SQLSTATE 23514, table ${testSchema}.zebras, constraint few`)
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message })
  await sameDatabase(t, sql, few)
})

t.test('a COMMIT without a response is reported as uncertain, and the log shows whether it succeeded', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  const proxy = await useTcpProxy(t, url)
  const { engine } = await useEngineWithFiles(t, { connection: proxy.url, excludeTables: ['audit_logs'] })
  const { id } = await engine.create()
  const whole = await readState(sql)
  for (const end of ['loseAnswer', 'cut'] as const) {
    await sql`DELETE FROM orders`
    const damaged = await readState(sql)
    let completing = false
    proxy.onSent = (text, link) => {
      completing ||= text.includes("SET status = 'restored'")
      if (completing && /commit/i.test(text)) {
        proxy.onSent = () => {}
        link[end]()
      }
    }
    await t.rejects(engine.restore(id), { code: 'FST_BACKUP_RESTORE_UNCERTAIN', statusCode: 500 })
    const backup = await engine.get(id)
    if (end === 'loseAnswer') {
      await sameDatabase(t, sql, whole)
      t.match(backup, { status: 'restored', restore: { status: 'completed', error: null } })
    } else {
      await sameDatabase(t, sql, damaged)
      t.match(backup.restore, { status: 'failed' })
    }
  }
})

/** Restores from a storage that returns other content when the file is opened for the second time. */
async function restoreSwapped (
  t: Test, swap: (text: string) => string
): Promise<{ error: unknown, assertUnchanged: () => Promise<void> }> {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  const directory = await useDirectory(t)
  let opened = 0
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    excludeTables: ['audit_logs'],
    storage: storageWith(directory, {
      async open (storage, name, range) {
        const stream = await storage.open(name, range)
        if (++opened < 2) return stream
        const text = (await stream.toArray()).join('')
        return Readable.from([Buffer.from(swap(text))])
      }
    })
  })
  const { id } = await engine.create()
  const before = await readState(sql)
  const error = await engine.restore(id).catch((error: unknown) => error)
  return { error, assertUnchanged: async () => { await sameDatabase(t, sql, before) } }
}

t.test('a file that changes between verification and load leaves the database unchanged', async (t) => {
  const value = await restoreSwapped(t, (text) => text.replace('"name":"Ada"', '"name":"Eda"'))
  const message = /it changed while it was read/
  t.match(value.error, { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422, message })
  await value.assertUnchanged()
  const row = await restoreSwapped(t, (text) => text.replace('{"id":1,"name":"Ada"},\n', ''))
  t.match(row.error, { code: 'FST_BACKUP_RESTORE_FAILED', message: /COPY stored 1 of 2 rows in table users/ })
  await row.assertUnchanged()
  const start = await restoreSwapped(t, () => 'no snapshot')
  t.match(start.error, { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 })
  await start.assertUnchanged()
})

t.test('a storage that fails before the first row is loaded leaves the database unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  let opened = 0
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    excludeTables: ['audit_logs'],
    storage: storageWith(await useDirectory(t), {
      async open (storage, name, range) {
        if (++opened === 2) throw new Error('no answer')
        return await storage.open(name, range)
      }
    })
  })
  const { id } = await engine.create()
  const before = await readState(sql)
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.equal(opened, 2)
  await sameDatabase(t, sql, before)
})

t.test('a restore that waits for a table which another session has locked fails soon', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`${shop};
    CREATE FUNCTION known (int) RETURNS boolean LANGUAGE sql AS 'SELECT count(*) >= 0 FROM ${testSchema}.audit_logs';
    CREATE TABLE checked (id int CHECK (known(id))); INSERT INTO checked VALUES (1)`)
  const directory = await useDirectory(t)
  const loading = createGate()
  let opened = 0
  const { engine } = await useEngineWithFiles(t, {
    connection: url,
    excludeTables: ['audit_logs'],
    storage: storageWith(directory, {
      async open (storage, name, range) {
        if (++opened === 2) await loading.pass()
        return await storage.open(name, range)
      }
    })
  })
  // With the foreign key, the restore would lock audit_logs first
  await sql`ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_user_id_fkey`
  const { id } = await engine.create()
  const before = await readState(sql)
  const lockTimeout = { code: 'FST_BACKUP_LOCK_TIMEOUT', statusCode: 409, message: /55P03/ }
  const restoring = t.rejects(engine.restore(id), lockTimeout)
  await loading.reached
  const blocker = await sql.reserve()
  await blocker`BEGIN`
  await blocker`LOCK TABLE audit_logs`
  loading.open()
  await restoring
  await blocker`ROLLBACK`
  blocker.release()
  await sameDatabase(t, sql, before)
})

t.test('a snapshot that is being deleted is not restored', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(shop)
  const { engine } = await useEngineWithFiles(t, { connection: url, excludeTables: ['audit_logs'] })
  const { id } = await engine.create()
  const deleting = postgres(url, { max: 1 })
  t.after(async () => { await deleting.end() })
  await deleting.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${backupKey(id)})`
    await t.rejects(engine.restore(id), { code: 'FST_BACKUP_BUSY', statusCode: 409, message: /is being deleted/ })
  })
  t.match(await engine.restore(id), { rowCount: 4 })
})
