import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isMarkerName } from '../../lib/storage/marker.ts'
import { locksLeft } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'
import { shop } from './shop-with-dependents.ts'

/** Enough rows for more than one progress report in each phase. */
const manyUsers = "INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 50000)"

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
