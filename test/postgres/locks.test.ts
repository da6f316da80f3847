import t, { type Test } from 'tap'
import { createPool, type Sql } from '../../lib/postgres/driver/connection.ts'
import { lockRelations, lockWithRetries } from '../../lib/postgres/locks.ts'
import { inTransaction, type Transaction } from '../../lib/postgres/driver/transaction.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { cancelBlocked, locksLeft } from '../support/backends.ts'

interface HeldTable {
  sql: Sql
  /** Tries to lock the table, with retries. */
  lock: (pause?: (tries: number) => Promise<void>, signal?: AbortSignal) => Promise<string>
  /** Makes the other session release it. */
  free: () => Promise<void>
}

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'

/** A table that another session has locked. */
async function useHeldTable (t: Test): Promise<HeldTable> {
  const { sql, url } = await useDatabase(t)
  const pool = createPool(url)
  t.after(async () => { await pool.end({ timeout: 1 }) })
  await sql`CREATE TABLE item (id int)`
  const blocker = await sql.reserve()
  await blocker`BEGIN`
  await blocker`LOCK TABLE item IN ACCESS SHARE MODE`
  return {
    sql,
    async lock (pause, signal) {
      const attempt = async (tx: Transaction): Promise<string> => {
        await lockRelations(tx, [{ schema: testSchema, name: 'item' }], 'ACCESS EXCLUSIVE')
        return 'locked'
      }
      return await lockWithRetries(async () => await inTransaction(pool, mode, attempt), signal, pause)
    },
    async free () {
      await blocker`ROLLBACK`
      blocker.release()
    }
  }
}

t.test('locks that other sessions hold are retried after a pause, without holding locks meanwhile', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  let pauses = 0
  t.equal(await lock(async () => {
    pauses++
    t.strictSame(await locksLeft(sql), ['relation AccessShareLock item'], 'only those of the other session')
    await free()
  }), 'locked')
  t.equal(pauses, 1, 'the first attempt reached the lock timeout')
  t.strictSame(await locksLeft(sql), [])
})

t.test('the sixth attempt is the last one', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  const tries: number[] = []
  // A statement timeout cancels the statement: it limits all locks of an attempt together
  const cancelling = cancelBlocked(sql, 6)
  const timeout = { code: 'FST_BACKUP_LOCK_TIMEOUT', statusCode: 409, message: /6 attempts of 3000 ms/ }
  await t.rejects(lock(async (number) => { tries.push(number) }), timeout)
  t.strictSame(tries, [1, 2, 3, 4, 5])
  await cancelling
  await free()
})

t.test('an abort ends the pause', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  const cancelling = cancelBlocked(sql, 1)
  const locked = lock()
  await cancelling
  await free()
  t.equal(await locked, 'locked')

  const again = await sql.reserve()
  await again`BEGIN`
  await again`LOCK TABLE item`
  const controller = new AbortController()
  const refused = t.rejects(lock(undefined, controller.signal), { message: 'enough' })
  await cancelBlocked(sql, 1)
  controller.abort(new Error('enough'))
  await refused
  await again`ROLLBACK`
  again.release()
})

t.test('any other error is thrown at once', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  await free()
  await sql`DROP TABLE item`
  await t.rejects(lock(), { code: '42P01' })
})
