import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isMarkerName } from '../../lib/storage/marker.ts'
import { killBackend, locksLeft } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { useDirectory } from '../support/directory.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { shop } from './shop-with-dependents.ts'

const lost = { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 }

/** Enough rows for more than one progress report in each phase. */
const manyUsers = "INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 50000)"

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
    '2\tBob',
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
      async open (storage, name) {
        await kill(['verify', 'load'][opened++] ?? '')
        return await storage.open(name)
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

t.test('a restore that the caller aborts in any phase leaves the database unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`${shop}; ${manyUsers}`)
  const { engine } = await useEngineWithFiles(t, { connection: url, excludeTables: ['audit_logs'] })
  const { id } = await engine.create()
  await sql`UPDATE orders SET total = 99`
  const before = await readState(sql)
  for (const phase of ['verify', 'snapshot', 'load']) {
    const controller = new AbortController()
    const onProgress = (progress: { phase: string }): void => { if (progress.phase === phase) controller.abort() }
    const restoring = engine.restore(id, { signal: controller.signal, onProgress })
    await t.rejects(restoring, { code: 'FST_BACKUP_ABORTED', statusCode: 499 }, phase)
    await sameDatabase(t, sql, before)
    t.same(await locksLeft(sql), [])
  }
  await engine.restore(id)
})

t.test('a killed service leaves the database unchanged in any phase, and its next start heals the log', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`${shop}; ${manyUsers}`)
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: url, excludeTables: ['audit_logs'] })
  const { id, filename } = await engine.create()
  await sql`UPDATE orders SET total = 99`
  const before = await readState(sql)
  for (const phase of ['verify', 'snapshot', 'load']) {
    const script = fileURLToPath(new URL('restoring-service.js', import.meta.url))
    const values = [script, url, storagePath, id, phase]
    const service = spawn(process.execPath, values, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [reached] = await once(service.stdout, 'data') as [Buffer]
    t.equal(String(reached), `${phase}\n`)
    service.kill('SIGKILL')
    await once(service, 'exit')
    await until(async () => (await sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'fastify-backup %'`).length === 0)
    await sameDatabase(t, sql, before)

    const options = { connection: url, storagePath, excludeTables: ['audit_logs'] }
    const { engine: next } = await useEngineWithFiles(t, options)
    next.start()
    await until(async () => (await next.get(id)).restore?.status === 'failed')
    const restore = { status: 'failed', error: /interrupted/ }
    t.match(await next.get(id), { status: 'completed', available: true, restore })
    await until(async () => (await next.status()).running.length === 0)
    const { backups } = await next.list({ status: 'completed' })
    const files = backups.map((backup) => backup.filename)
    t.ok(files.includes(filename))
    const stored = async (): Promise<string[]> => (await readdir(storagePath)).filter((name) => !isMarkerName(name))
    await until(async () => (await stored()).length === files.length)
    t.same((await stored()).sort(), files.sort(), 'the directory contains the files in the log')
    // The started service reads its log from time to time
    await until(async () => (await locksLeft(sql)).length === 0)
  }
  t.match(await engine.restore(id), { rowCount: 50_004 })
})
