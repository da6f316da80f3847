import t, { type Test } from 'tap'
import postgres from 'postgres'
import { connected } from '../../support/connected.ts'
import { type Place, useEngine, usePlace } from '../../support/engine.ts'
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

for (const isOwn of [false, true]) {
  t.test(`calls fail soon while the server refuses connections: ${isOwn ? 'sql' : 'connection'}`, async (t) => {
    const place = await usePlace(t)
    const sql = postgres(place.url, { max: 2, onnotice () {} })
    t.after(async () => { await sql.end({ timeout: 1 }) })
    const engine = useEngine(t, place, isOwn ? { sql } : {})
    const { id } = await engine.create()
    const server = await refuseConnections(t, place)
    // The first ones lose their connections, and the others use these again
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
