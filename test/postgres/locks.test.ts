import t, { type Test } from 'tap'
import { createPool, type Sql } from '../../lib/postgres/driver/connection.ts'
import { lockRelations, lockWithRetries } from '../../lib/postgres/locks.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { cancelBlocked, locksLeft } from './backends.ts'

interface Place { sql: Sql, lock: (pause?: () => Promise<void>, signal?: AbortSignal) => Promise<string>, free: () => Promise<void> }

/** A table that somebody holds, and an attempt to lock it. */
async function useHeldTable (t: Test): Promise<Place> {
  const { sql, url } = await useDatabase(t)
  const pool = createPool(url)
  t.after(async () => { await pool.end({ timeout: 1 }) })
  await sql`CREATE TABLE item (id int)`
  const holder = await sql.reserve()
  await holder`BEGIN`
  await holder`LOCK TABLE item IN ACCESS SHARE MODE`
  return {
    sql,
    lock: async (pause, signal) => await lockWithRetries(async () => await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
      await lockRelations(tx, [{ schema: testSchema, name: 'item' }], 'ACCESS EXCLUSIVE')
      return 'locked'
    }), signal, pause),
    async free () {
      await holder`ROLLBACK`
      holder.release()
    }
  }
}

t.test('what others hold is tried again after a pause, in which they get through', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  let pauses = 0
  t.equal(await lock(async () => {
    pauses++
    t.same(await locksLeft(sql), ['relation AccessShareLock item'], 'only theirs')
    await free()
  }), 'locked')
  t.equal(pauses, 1, 'the first attempt ran into the lock timeout')
  t.same(await locksLeft(sql), [])
})

t.test('after six attempts it is given up', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  const tries: number[] = []
  // Cancelled is what a statement timeout looks like: it bounds all locks of an attempt together
  const cancelling = cancelBlocked(sql, 6)
  await t.rejects(lock(async (number?: number) => { tries.push(Number(number)) }), { code: 'FST_BACKUP_LOCK_TIMEOUT', statusCode: 409, message: /6 attempts of 3000 ms/ })
  t.same(tries, [1, 2, 3, 4, 5])
  await cancelling
  await free()
})

t.test('the pause is a short one, and an abort ends it', async (t) => {
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

t.test('any other error is told at once', async (t) => {
  const { sql, lock, free } = await useHeldTable(t)
  await free()
  await sql`DROP TABLE item`
  await t.rejects(lock(), { code: '42P01' })
})
