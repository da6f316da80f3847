import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createPool, type Sql } from '../../../lib/postgres/driver/connection.ts'
import type { CopyIn } from '../../../lib/postgres/driver/copy-in.ts'
import { inTransaction, type Transaction } from '../../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../../support/database.ts'
import { useTcpProxy } from '../../support/tcp-proxy.ts'
import { backendOf, everyConnection, killBackend, locksLeft } from '../../support/backends.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
const bytes = (text: string): Uint8Array => Buffer.from(text)

interface TestPool { sql: Sql, pool: Sql, url: string, usable: () => Promise<void> }

/** A table `item`, and a pool that the library creates. */
async function usePool (t: Test): Promise<TestPool> {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item (id int PRIMARY KEY, text text)`
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  return {
    sql,
    pool,
    url,
    async usable () {
      t.strictSame([...await sql`SELECT * FROM item`], [], 'nothing is stored')
      t.strictSame(await locksLeft(sql), [], 'no lock is left')
      t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
    }
  }
}

t.test('chunks need not end at row ends, and the number of rows is returned', async (t) => {
  const { sql, pool } = await usePool(t)
  const rows = await inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    for (const chunk of ['1\ta', 'b\n2', '\t\\N\n']) await copy.write(bytes(chunk))
    return await copy.end()
  })
  t.equal(rows, 2)
  t.strictSame([...await sql`SELECT * FROM item`], [{ id: 1, text: 'ab' }, { id: 2, text: null }])
})

t.test('a COPY without rows ends', async (t) => {
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

t.test('an invalid row stops an endless source', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('x\ta\n'))
    for (;;) await copy.write(bytes(`1\t${'a'.repeat(100_000)}\n`))
  }), { code: '22P02' })
  await usable()
})

t.test('an invalid row fails the transaction when abort() is called next', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('x\ta\n'))
    await copy.abort()
    await tx.query('SELECT 1 AS one')
  }), { code: '25P02' }, 'the transaction has failed')
  await usable()
})

t.test('a COPY of a missing table rejects', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await tx.copyIn('COPY nothing FROM STDIN')
  }), { code: '42P01' })
  await usable()
})

t.test('an error that arrives with the answer that requests rows rejects', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  await sql.unsafe(`
    CREATE FUNCTION fail () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
    CREATE TRIGGER fails BEFORE INSERT ON item EXECUTE FUNCTION fail()`)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n'))
    await copy.end()
  }), { code: 'P0001' })
  await usable()
})

t.test('when the source fails, the server fails the COPY, and the error is that of the source', async (t) => {
  const { pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n'))
    await copy.abort()
    throw new Error('the source failed')
  }), { message: 'the source failed' })
  await usable()
})

async function copyUntilKilled (sql: Sql, tx: Transaction, then: (copy: CopyIn) => Promise<unknown>): Promise<void> {
  const pid = await backendOf(tx)
  const copy = await tx.copyIn('COPY item FROM STDIN')
  await copy.write(bytes('1\ta\n'))
  await killBackend(sql, pid)
  await then(copy)
}

t.test('after a backend is killed during COPY, write() and end() reject, and abort() settles', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  const row = bytes(`1\t${randomBytes(50_000).toString('hex')}\n`)
  const lost = { code: /^(CONNECTION_CLOSED|EPIPE|ECONNRESET)$/ }
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyUntilKilled(sql, tx, async (copy) => { for (;;) await copy.write(row) })
  }), lost, 'write()')
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyUntilKilled(sql, tx, async (copy) => await copy.end())
  }), lost, 'end()')
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyUntilKilled(sql, tx, async (copy) => {
      await copy.write(row).catch(() => {})
      await copy.abort()
      await tx.query('SELECT 1 AS one')
    })
  }), lost)
  await usable()
})

// With Nagle's algorithm, or with a CopyFail that the server does not answer, each table would wait 40 ms
t.test("Nagle's algorithm is off", async (t) => {
  const { pool } = await usePool(t)
  const calls = t.capture(Socket.prototype, 'setNoDelay', Socket.prototype.setNoDelay)
  await inTransaction(pool, mode, async (tx) => { await tx.query('SELECT 1 AS one') })
  t.strictSame(calls().map(({ args }) => args), [[true]])
})

t.test('no CopyFail follows the CopyDone of a COPY that has ended', async (t) => {
  const { url } = await usePool(t)
  const proxy = await useTcpProxy(t, url)
  const sent: string[] = []
  proxy.onSent = (text) => { sent.push(text) }
  const pool = createPool(proxy.url)
  t.after(async () => { await pool.end() })
  await inTransaction(pool, mode, async (tx) => {
    const copy = await tx.copyIn('COPY item FROM STDIN')
    await copy.write(bytes('1\ta\n'))
    t.equal(await copy.end(), 1)
    t.strictSame(await tx.query('SELECT id FROM item'), [{ id: 1 }])
  })
  const messages = sent.join('')
  t.match(messages, 'c\0\0\0\x04', 'CopyDone')
  t.notMatch(messages, /f\0\0\0/, 'CopyFail')
})
