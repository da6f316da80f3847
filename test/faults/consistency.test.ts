import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'
import { violations } from './invariants.ts'
import { isLong } from './service-process.ts'

interface Content {
  data: {
    accounts: Array<{ id: number, balance: number }>,
    transfers: Array<{ id: number, from_id: number, to_id: number, amount: number }>
  }
}

t.test('snapshots are consistent across tables during concurrent transfers', { timeout: 600_000 }, async (t) => {
  const snapshots = isLong ? 100 : 10
  const accounts = 100
  const place = await usePlace(t)
  const { sql } = place
  await sql`CREATE TABLE accounts AS SELECT i AS id, 1000 AS balance FROM generate_series(1, ${accounts}::int) AS i`
  await sql`CREATE TABLE transfers (id int GENERATED ALWAYS AS IDENTITY, from_id int, to_id int, amount int)`
  const engine = useEngine(t, place, { maxBackups: 5 })
  const writing = new AbortController()
  const writers = Array.from({ length: 3 }, async (_, writer) => {
    for (let step = writer; !writing.signal.aborted; step += 7) {
      const [from, to, amount] = [1 + step % accounts, 1 + (step * 31 + 5) % accounts, step % 13]
      await sql.begin(async (tx) => {
        // Ordered by id, to avoid deadlocks between the writers
        for (const id of [from, to].sort((a, b) => a - b)) await tx`SELECT FROM accounts WHERE id = ${id} FOR UPDATE`
        await tx`UPDATE accounts SET balance = balance - ${amount} WHERE id = ${from}`
        await tx`UPDATE accounts SET balance = balance + ${amount} WHERE id = ${to}`
        await tx`INSERT INTO transfers (from_id, to_id, amount) VALUES (${from}, ${to}, ${amount})`
      })
    }
  })
  try {
    let moved = 0
    for (let snapshot = 0; snapshot < snapshots; snapshot++) {
      const { filename } = await engine.create()
      const { data }: Content = JSON.parse(await readFile(join(place.directory, filename), 'utf8'))
      const expected = new Map(Array.from({ length: accounts }, (_, index) => [index + 1, 1000]))
      for (const { from_id: from, to_id: to, amount } of data.transfers) {
        expected.set(from, (expected.get(from) ?? 0) - amount)
        expected.set(to, (expected.get(to) ?? 0) + amount)
      }
      t.strictSame(new Map(data.accounts.map(({ id, balance }) => [id, balance])), expected, `snapshot ${snapshot}`)
      t.ok(data.transfers.length > moved, 'there were transfers since the previous snapshot')
      moved = data.transfers.length
    }
  } finally {
    writing.abort()
    await Promise.all(writers)
  }
  const { backups: [newest] } = await engine.list()
  await engine.restore(String(newest?.id))
  t.strictSame([...await sql`SELECT sum(balance)::int AS sum FROM accounts`], [{ sum: accounts * 1000 }])
  t.strictSame(await violations(place), [])
})

t.test('a snapshot contains one version of a table that a job refills repeatedly', { timeout: 300_000 }, async (t) => {
  const snapshots = isLong ? 60 : 6
  const place = await usePlace(t)
  const { sql } = place
  await sql`CREATE TABLE report AS SELECT 0 AS filling, i AS line FROM generate_series(1, 500) i`
  const engine = useEngine(t, place, { maxBackups: 5 })
  const job = new AbortController()
  const refilling = (async () => {
    for (let filling = 1; !job.signal.aborted; filling++) {
      await sql.begin(async (tx) => {
        await tx`TRUNCATE report`
        await tx`INSERT INTO report SELECT ${filling}::int, i FROM generate_series(1, 500) i`
      })
    }
  })()
  const fillings: number[] = []
  try {
    for (let snapshot = 0; snapshot < snapshots; snapshot++) {
      const { filename } = await engine.create()
      const { data }: {
        data: { report: Array<{ filling: number, line: number }> }
      } = JSON.parse(await readFile(join(place.directory, filename), 'utf8'))
      const filling = data.report[0]?.filling
      t.strictSame(
        data.report, Array.from({ length: 500 }, (_, index) => ({ filling, line: index + 1 })), `snapshot ${snapshot}`
      )
      fillings.push(Number(filling))
    }
    const { backups: [newest] } = await engine.list()
    const { preRestoreId } = await engine.restore(String(newest?.id))
    t.match(await engine.get(preRestoreId), { status: 'completed', tableCount: 3 })
  } finally {
    job.abort()
    await refilling
  }
  t.strictSame(fillings, [...new Set(fillings)].sort((a, b) => a - b), 'each version is later than the previous one')
  t.strictSame(await violations(place), [])
})
