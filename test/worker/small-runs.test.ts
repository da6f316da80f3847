import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Sql } from 'postgres'
import t, { type Test } from 'tap'
import { isSmallSchema, type SizeLimits } from '../../lib/postgres/catalog/small-schema.ts'
import { createPool, createSmallRunPool } from '../../lib/postgres/driver/connection.ts'
import { createLocalRunner } from '../../lib/worker/runner.ts'
import { withSmallRuns } from '../../lib/worker/small-runs.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { failingWorker } from '../support/worker.ts'
import { snapshotJob } from './snapshot-job.ts'

const large: SizeLimits = { tables: 50, bytes: 2 ** 20 }

/** A run in a worker fails, so one that succeeds was in the main thread. */
const useEngineOf = (t: Test, place: Place, limits: SizeLimits): TestEngine =>
  useEngine(t, place, { worker: true }, undefined, failingWorker({ how: 'exit', at: 'onLocked' }), limits)

t.test('a backup of a small schema is made in the main thread, and a restore is not', async (t) => {
  const place = await usePlace(t)
  const engine = useEngineOf(t, place, large)
  const { id, rowCount } = await engine.create()
  t.equal(rowCount, 5)
  t.match(await engine.verify(id), { ok: true })
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_WORKER_FAILED' })
})

t.test('a backup of more tables, or of more bytes, is made in a worker', async (t) => {
  const place = await usePlace(t)
  for (const limits of [{ ...large, tables: 1 }, { ...large, bytes: 1000 }]) {
    await t.rejects(useEngineOf(t, place, limits).create(), { code: 'FST_BACKUP_WORKER_FAILED' })
  }
})

t.test('the connection of a small backup ends with the service', async (t) => {
  const place = await usePlace(t)
  const engine = useEngineOf(t, place, large)
  await engine.create()
  await engine.stop()
  await engine.close()
  const others = await place.sql`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND application_name <> ${place.sql.options.connection.application_name as string}`
  t.strictSame([...others], [])
})

/** Whether the schema of the tests is small after these statements. */
async function isSmallAfter (t: Test, statements: string, limits = large): Promise<boolean> {
  const { sql } = await useDatabase(t)
  await sql.unsafe(statements)
  return await isSmallSchema(sql as Sql, testSchema, limits)
}

t.test('tables and bytes up to the limits are small', async (t) => {
  const two = 'CREATE TABLE a (); CREATE TABLE b (); CREATE SEQUENCE s; CREATE VIEW v AS SELECT 1 AS one'
  t.equal(await isSmallAfter(t, ''), true)
  t.equal(await isSmallAfter(t, two, { tables: 2, bytes: 0 }), true)
  t.equal(await isSmallAfter(t, two, { tables: 1, bytes: 0 }), false)
  const page = 'CREATE TABLE a (id int); INSERT INTO a VALUES (1)'
  t.equal(await isSmallAfter(t, page, { tables: 1, bytes: 8192 }), true)
  t.equal(await isSmallAfter(t, page, { tables: 1, bytes: 8191 }), false)
})

t.test('values outside of the table count', async (t) => {
  t.equal(await isSmallAfter(t, `CREATE TABLE a (text text); ALTER TABLE a ALTER text SET STORAGE EXTERNAL;
    INSERT INTO a SELECT repeat('x', ${2 ** 21})`), false)
})

t.test('a schema with a partitioned table is not small', async (t) => {
  t.equal(await isSmallAfter(t, 'CREATE TABLE a (id int) PARTITION BY LIST (id)'), false)
})

t.test('a schema with a locked table is not small, and other errors are thrown', async (t) => {
  const { sql } = await useDatabase(t)
  await sql`CREATE TABLE a ()`
  await sql.begin(async (other) => {
    await other`LOCK TABLE a`
    t.equal(await isSmallSchema(sql as Sql, testSchema, large), false)
  })
  await sql.end()
  await t.rejects(isSmallSchema(sql as Sql, testSchema, large), { code: 'CONNECTION_ENDED' })
})

t.test('an abort ends the wait for a server that does not answer', async (t) => {
  const server = createServer()
  t.after(() => { server.close() })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const pool = createPool({ host: '127.0.0.1', port, max: 2 })
  const runner = withSmallRuns(createLocalRunner(pool), createSmallRunPool(pool), large)
  const controller = new AbortController()
  const hooks = { async onLocked () {}, async onWritten () {}, onProgress () {}, signal: controller.signal }
  const taken = t.rejects(runner.takeSnapshot(snapshotJob({ directory: '' } as Place), hooks), { message: 'enough' })
  const [socket] = await once(server, 'connection')
  controller.abort(new Error('enough'))
  await taken
  socket.destroy()
  await runner.close()
})
