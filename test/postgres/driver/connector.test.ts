import t, { type Test } from 'tap'
import postgres from 'postgres'
import { isUnavailable } from '../../../lib/postgres/database-error.ts'
import { createLogPool, createPool, type Sql } from '../../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../../lib/postgres/driver/transaction.ts'
import { connected } from '../../support/connected.ts'
import { connectionOf, type Place, useEngine, usePlace } from '../../support/engine.ts'
import { until } from '../../support/until.ts'

/** Lets the database refuse new connections, and ends those that it has. */
async function refuseConnections (t: Test, { url }: Place): Promise<{ accept: () => Promise<void> }> {
  const name = new URL(url).pathname.slice(1)
  const allow = async (isAllowed: boolean): Promise<void> => {
    await connected(String(process.env.TEST_DATABASE_URL), async (admin) => {
      await admin`ALTER DATABASE ${admin(name)} ALLOW_CONNECTIONS ${admin.unsafe(String(isAllowed))}`
      if (isAllowed) return
      await admin`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = ${name}`
    })
  }
  t.after(async () => { await allow(true) })
  await allow(false)
  return { accept: async () => { await allow(true) } }
}

const mode = 'ISOLATION LEVEL READ COMMITTED READ ONLY'

const pools: Record<string, (url: string, closing: Sql[]) => Sql> = {
  'a pool': (url) => createPool({ ...connectionOf(url), max: 2 }),
  'the pool of the log beside an instance of the application' (url, closing) {
    const own = postgres(url, { max: 2, onnotice () {} })
    closing.push(own)
    return createLogPool(own)
  }
}

for (const [name, create] of Object.entries(pools)) {
  t.test(`a statement of ${name} fails while the server refuses connections`, async (t) => {
    const place = await usePlace(t)
    const closing: Sql[] = []
    const pool = create(place.url, closing)
    closing.push(pool)
    t.after(async () => { for (const sql of closing) await sql.end({ timeout: 1 }) })
    const run = async (text: string): Promise<unknown[]> =>
      await inTransaction(pool, mode, async (tx) => await tx.query(text))
    // Both connections are lost during a statement
    const sleeping = [1, 2].map(async () => await t.rejects(run('SELECT pg_sleep(600)')))
    await until(async () => (await place.sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event = 'PgSleep'`).length === 2)
    const server = await refuseConnections(t, place)
    await Promise.all(sleeping)
    for (let round = 0; round < 3; round++) {
      const errors = await Promise.all([1, 2, 3].map(async () => await run('SELECT').catch((error: unknown) => error)))
      for (const error of errors) t.ok(isUnavailable(error))
    }
    await server.accept()
    await until(async () => await run('SELECT').then(() => true, () => false))
  })
}

t.test('a lasting reason for which the server refuses connections is the error of every statement', async (t) => {
  const { url } = await usePlace(t)
  const pool = createPool({ ...connectionOf(url), database: 'there is no such database', max: 2 })
  t.after(async () => { await pool.end() })
  for (let call = 0; call < 8; call++) {
    await t.rejects(inTransaction(pool, mode, async (tx) => await tx.query('SELECT')), { code: '3D000' })
  }
})

for (const isOwn of [false, true]) {
  t.test(`calls fail soon while the server refuses connections: ${isOwn ? 'sql' : 'connection'}`, async (t) => {
    const place = await usePlace(t)
    const sql = postgres(place.url, { max: 2, onnotice () {} })
    t.after(async () => { await sql.end({ timeout: 1 }) })
    const engine = useEngine(t, place, isOwn ? { sql } : {})
    const { id } = await engine.create()
    const server = await refuseConnections(t, place)
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 4 }, async () =>
        await t.rejects(engine.list(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE' })))
    }
    t.match((await engine.status()).problems[0], { code: 'database_unavailable' })
    await server.accept()
    await until(async () => await engine.list().then(() => true, () => false))
    t.match(await engine.get(id), { status: 'completed' })
  })
}
