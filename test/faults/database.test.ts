import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { startPostgres } from '../support/embedded-postgres.js'
import { until } from '../support/until.ts'
import { testSchema } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { createShop, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { type TcpProxy, useTcpProxy } from '../support/tcp-proxy.ts'
import { expectedOutcome, outcome, untilConsistent } from './invariants.ts'
import { createRandom } from './random.ts'
import { isLong } from './service-process.ts'

/** A server for this test alone, which it may stop. */
async function useServer (
  t: Test, settings: Record<string, string | number> = {}
): Promise<Place & { server: Awaited<ReturnType<typeof startPostgres>> }> {
  const server = await startPostgres({ settings: { max_connections: 20, ...settings } })
  const sql = postgres(server.url, { onnotice () {}, max: 2, connection: { search_path: testSchema } })
  t.after(async () => {
    await sql.end({ timeout: 1 })
    await server.stop()
  })
  if (testSchema !== 'public') await sql`CREATE SCHEMA ${sql(testSchema)}`
  const place = { url: server.url, sql, directory: await useDirectory(t), server }
  await createShop(place, testSchema)
  await createBulk(place)
  return place
}

async function createBulk ({ sql }: Place): Promise<void> {
  await sql`CREATE TABLE bulk AS SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, 30000) AS i`
}

async function works (t: Test, place: Place, engine: TestEngine, message: string): Promise<void> {
  // The first calls may fail because of a connection that was broken while it was idle
  for (let tries = 0; ; tries++) {
    const found = await outcome(engine.create(), 60_000)
    if (found === 'done') break
    if (tries === 20) throw new Error(`${message}: ${found}`)
    await delay(250)
  }
  await untilConsistent(place)
  t.strictSame(
    [...await place.sql`SELECT count(*)::int AS rows FROM ${place.sql(testSchema)}.bulk`], [{ rows: 30_000 }], message
  )
}

/** Calls `harm` and `mend` at a random moment of a create or a restore, and checks that the service then works. */
async function suffer (
  t: Test, place: Place, engine: TestEngine, rounds: number, harm: () => Promise<void>, mend: () => Promise<void>
): Promise<void> {
  const random = createRandom()
  t.comment(`TEST_FAULTS_SEED=${random.seed}`)
  const { id } = await engine.create()
  await engine.update(id, { pinned: true })
  for (let round = 0; round < rounds; round++) {
    const call = round % 2 === 0 ? engine.create() : engine.restore(id)
    const ending = outcome(call, 120_000)
    await delay(random.below(500))
    await harm()
    await mend()
    t.match(await ending, expectedOutcome)
    await works(t, place, engine, `seed ${random.seed}, round ${round}`)
  }
}

for (const worker of [true, false]) {
  const where = worker ? 'in a worker' : 'on the main thread'

  t.test(`all backends are terminated at a random moment, ${where}`, { timeout: 600_000 }, async (t) => {
    const place = await usePlace(t)
    await createBulk(place)
    const engine = useEngine(t, place, { worker })
    await suffer(t, place, engine, isLong ? 10 : 2, async () => {
      await place.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`
    }, async () => {})
  })

  t.test(`the server crashes and restarts, ${where}`, { timeout: 600_000 }, async (t) => {
    const place = await useServer(t)
    const engine = useEngine(t, place, { worker })
    engine.start()
    await suffer(
      t, place, engine, isLong ? 6 : 1, async () => { await place.server.halt('immediate') },
      async () => { await place.server.resume() }
    )
  })

  t.test(`connections are reset, ${where}`, { timeout: 600_000 }, async (t) => {
    const place = await usePlace(t)
    await createBulk(place)
    const proxy: TcpProxy = await useTcpProxy(t, place.url)
    const engine = useEngine(t, { ...place, url: proxy.url }, { worker })
    await suffer(t, place, engine, isLong ? 10 : 2, proxy.refuse, proxy.accept)
  })
}

t.test('short timeouts of the server do not end the sessions of the service', { timeout: 120_000 }, async (t) => {
  const place = await useServer(t, {
    idle_in_transaction_session_timeout: '50ms',
    statement_timeout: '2s',
    lock_timeout: '50ms',
    transaction_timeout: '3s'
  })
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 30_005 })
  await untilConsistent(place)
})

t.test('a server without free connections', { timeout: 120_000 }, async (t) => {
  const place = await useServer(t, { max_connections: 8, superuser_reserved_connections: 0 })
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await engine.update(id, { pinned: true })
  const greedy = postgres(place.url, { max: 20, onnotice () {}, connect_timeout: 2 })
  const holding = Array.from({ length: 20 }, async () => { await greedy`SELECT pg_sleep(10)`.catch(() => {}) })
  await until(async () => {
    const [found] = await place.sql`SELECT count(*)::int AS sessions FROM pg_stat_activity
      WHERE backend_type = 'client backend'`
    return found?.sessions === 8
  })
  t.match(await outcome(engine.create(), 60_000), expectedOutcome)
  t.match(await outcome(engine.restore(id), 60_000), expectedOutcome)
  await Promise.all(holding)
  await greedy.end({ timeout: 1 })
  await works(t, place, engine, 'afterwards')
})

t.test('calls that write fail on a standby, and succeed after its promotion', { timeout: 120_000 }, async (t) => {
  const place = await useServer(t)
  const engine = useEngine(t, place)
  engine.start()
  const { id } = await engine.create()
  await place.server.halt('fast')
  await writeFile(join(place.server.dataDir, 'standby.signal'), '')
  await place.server.resume()
  t.strictSame([...await place.sql`SELECT pg_is_in_recovery() AS standby`], [{ standby: true }])

  const late = useEngine(t, place)
  late.start()
  for (const service of [engine, late]) {
    for (const call of [
      () => service.create(), () => service.restore(id), () => service.update(id, { note: 'x' }),
      () => service.remove(id), () => service.list(), () => service.download(id)
    ]) {
      await t.rejects(async () => await call(), {
        code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503, message: /read-only/
      })
    }
  }
  t.equal((await place.sql`SELECT FROM ${place.sql(testSchema)}.bulk`).length, 30_000)

  await place.sql`SELECT pg_promote()`
  await works(t, place, engine, 'promoted')
  t.match(await late.restore(id), { rowCount: 30_005 })
  await untilConsistent(place)
})

t.test('a database with default_transaction_read_only', { timeout: 120_000 }, async (t) => {
  const place = await useServer(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`ALTER SYSTEM SET default_transaction_read_only = on`
  await place.sql`SELECT pg_reload_conf()`
  t.equal(await outcome(useEngine(t, place).create(), 60_000), 'done', 'which is only a default of transactions')
  t.equal(await outcome(engine.restore(id), 60_000), 'done')
  await untilConsistent(place)
})
