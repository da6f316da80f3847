import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createPool, type Sql } from '../../../lib/postgres/driver/connection.ts'
import { inTransaction, type Transaction } from '../../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../../support/database.ts'
import { backendOf, everyConnection, killBackend, locksLeft } from '../backends.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
const bytes = (text: string): Uint8Array => Buffer.from(text)

/** A table `item`, and a pool of the library's own. */
async function usePool (t: Test): Promise<{ sql: Sql, pool: Sql, usable: () => Promise<void> }> {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int PRIMARY KEY, text text)`
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  return {
    sql,
    pool,
    async usable () {
      t.strictSame([...await sql`SELECT * FROM item`], [], 'nothing is stored')
      t.strictSame(await locksLeft(sql), [], 'no lock is left')
      t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
    }
  }
}

t.test('chunks need not end at row ends, and the number of rows comes back', async (t) => {
  const { sql, pool } = await usePool(t)
  const rows = await inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    for (const chunk of ['1\ta', 'b\n2', '\t\\N\n']) await copy.write(bytes(chunk))
    return await copy.end()
  })
  t.equal(rows, 2)
  t.strictSame([...await sql`SELECT * FROM item`], [{ id: 1, text: 'ab' }, { id: 2, text: null }])
})

t.test('a COPY of nothing ends as well, and the next statement does not wait', async (t) => {
  const { pool } = await usePool(t)
  t.equal(await inTransaction(pool, mode, async (tx) => await (await tx.copyIn('COPY item FROM STDIN')).end()), 0)
})

// porsager/postgres#1173: a COPY that fails after its last byte
t.test('a duplicate key rejects, and leaves the connection usable', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n1\tb\n'))
    await copy.end()
  }), { code: '23505' })
  await usable()
})

t.test('a row that breaks off at the end rejects', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1'))
    await copy.end()
  }), { code: '22P04' })
  await usable()
})

t.test('a bad row in the middle stops a source that goes on and on', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('x\ta\n'))
    for (;;) await copy.write(bytes(`1\t${'a'.repeat(100_000)}\n`))
  }), { code: '22P02' })
  await usable()
})

t.test('a bad row is told when abort() is the next that is called', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('x\ta\n'))
    await copy.abort()
    await tx.query('SELECT 1 AS one')
  }), { code: '25P02' }, 'the transaction is a failed one')
  await usable()
})

t.test('a COPY that does not begin rejects', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => await tx.copyIn('COPY nothing FROM STDIN')), { code: '42P01' })
  await usable()
})

t.test('an error that arrives with the answer that asks for rows rejects', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  await sql.unsafe("CREATE FUNCTION fail () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; CREATE TRIGGER fails BEFORE INSERT ON item EXECUTE FUNCTION fail()")
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n'))
    await copy.end()
  }), { code: 'P0001' })
  await usable()
})

t.test('a source that fails makes the server fail the COPY, and its own error is the one that is told', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n'))
    await copy.abort()
    throw new Error('the source failed')
  }), { message: 'the source failed' })
  await usable()
})

async function copyUntilKilled (sql: Sql, tx: Transaction, then: (copy: Awaited<ReturnType<Transaction['copyIn']>>) => Promise<unknown>): Promise<void> {
  const pid = await backendOf(tx)
  const copy = await tx.copyIn('COPY item FROM STDIN')
  await copy.write(bytes('1\ta\n'))
  await killBackend(sql, pid)
  await then(copy)
}

t.test('a backend that is killed during COPY rejects the next write, and the end, and abort() settles', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  const row = bytes(`1\t${randomBytes(50_000).toString('hex')}\n`)
  const lost = { code: /^(CONNECTION_CLOSED|EPIPE|ECONNRESET)$/ }
  await t.rejects(inTransaction(pool, mode, async (tx) => { await copyUntilKilled(sql, tx, async (copy) => { for (;;) await copy.write(row) }) }), lost)
  await t.rejects(inTransaction(pool, mode, async (tx) => { await copyUntilKilled(sql, tx, async (copy) => await copy.end()) }), lost)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyUntilKilled(sql, tx, async (copy) => {
      await copy.write(row).catch(() => {})
      await copy.abort()
      await tx.query('SELECT 1 AS one')
    })
  }), lost)
  await usable()
})

t.test('the messages of a table take no 40 ms each: Nagle\'s algorithm is off', async (t) => {
  const { pool } = await usePool(t)
  const start = performance.now()
  await inTransaction(pool, mode, async (tx) => {
    for (let i = 0; i < 50; i++) {
      const copy = await tx.copyIn('COPY item FROM STDIN')
      await copy.write(bytes(`${i}\ta\n`))
      await copy.end()
    }
  })
  t.ok(performance.now() - start < 50 * 40, 'it was 88 ms a table')
})
