import t from 'tap'
import { takeSnapshot } from '../../lib/backup/take-snapshot.ts'
import { createPool, type Sql } from '../../lib/postgres/driver/connection.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { snapshotJob } from '../worker/snapshot-job.ts'

/** Takes a snapshot, and returns the number of rows of each table in it. */
async function rowsOfSnapshot (
  sql: Sql, place: Place, onLocked: () => Promise<void> = async () => {}
): Promise<Record<string, number>> {
  let rows = {}
  await takeSnapshot(sql, snapshotJob(place), {
    onLocked,
    async onWritten ({ manifest }) {
      rows = Object.fromEntries(manifest.tables.map((table) => [table.name, table.rows]))
    },
    onProgress () {},
    signal: new AbortController().signal
  })
  return rows
}

t.test('rows that are committed after the tables are locked are in no table of the snapshot', async (t) => {
  const place = await usePlace(t)
  const pool = createPool(place.url)
  t.after(async () => { await pool.end() })
  const rows = await rowsOfSnapshot(pool, place, async () => {
    await place.sql`INSERT INTO users (name) VALUES ('Eve')`
    await place.sql`INSERT INTO orders VALUES (4, 3, 1)`
  })
  t.strictSame(rows, { orders: 3, users: 2 })
})

t.test('a backup whose snapshot is older than its locks starts again', async (t) => {
  const place = await usePlace(t)
  const pool = createPool(place.url)
  t.after(async () => { await pool.end() })
  const refilled: string[] = []
  // Its first repeatable read transaction has a snapshot before any lock, and the table is refilled in between
  const early = Object.assign(pool, {
    begin: (begin => async (mode: string, work: Parameters<Sql['begin']>[1]) => await begin(mode, async (raw) => {
      if (mode.includes('REPEATABLE READ') && refilled.length === 0) {
        await raw`SELECT`
        await place.sql`TRUNCATE orders`
        refilled.push(...(await place.sql`INSERT INTO orders VALUES (7, 1, 1) RETURNING id::text`).map(({ id }) => id))
      }
      return await work(raw)
    }))(pool.begin)
  })
  t.strictSame(await rowsOfSnapshot(early as Sql, place), { orders: 1, users: 2 })
  t.strictSame(refilled, ['7'])
})
