import type { Sql } from 'postgres'
import { inTransaction, type Transaction } from '../../lib/postgres/driver/transaction.ts'
import { until } from './until.ts'

export async function backendOf (tx: Transaction): Promise<number> {
  const { pid } = await tx.queryRow<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
  return pid
}

/** Terminates a server process, and resolves when it has ended. */
export async function killBackend (sql: Sql, pid: number): Promise<void> {
  await sql`SELECT pg_terminate_backend(${pid}, 10000)`
}

/** Resolves when this process, or any process of this database, waits for a lock. */
export async function untilBlocked (sql: Sql, pid: number | null = null): Promise<void> {
  await until(async () => {
    const blocked = await sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid = coalesce(${pid}, pid)`
    return blocked.length > 0
  })
}

/** Locks in this database that the library holds or waits for. */
export async function locksLeft (sql: Sql): Promise<string[]> {
  const locks = await sql`SELECT l.locktype, l.mode, l.relation::regclass::text AS relation FROM pg_locks l
    JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_type = 'client backend'
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()`
  return locks.map(({ locktype, mode, relation }) => `${locktype} ${mode} ${relation}`)
}

/** Resolves when locksLeft() is empty. */
export async function untilUnlocked (sql: Sql): Promise<void> {
  await until(async () => (await locksLeft(sql)).length === 0)
}

/** Uses all connections of a pool at the same time, and returns their answers without duplicates. */
export async function everyConnection (pool: Sql): Promise<unknown[]> {
  const answers = await Promise.all(Array.from({ length: pool.options.max }, async () =>
    await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ WRITE',
      async (tx) => await tx.query<{ one: number }>('SELECT 1 AS one'))))
  return [...new Set(answers.flat().map(({ one }) => one))]
}

/** Cancels this number of statements that wait for a lock in this database, as their statement timeout would. */
export async function cancelBlocked (sql: Sql, times: number): Promise<void> {
  const cancelled = new Set<string>()
  await until(async () => {
    const blocked = await sql`SELECT pid || ' ' || query_start AS statement, pg_cancel_backend(pid)
      FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
        AND pid <> pg_backend_pid()`
    for (const { statement } of blocked) cancelled.add(statement)
    return cancelled.size >= times
  })
}
