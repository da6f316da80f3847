import { inspect } from 'node:util'
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream'
import t, { type Test } from 'tap'
import { createPool, type Sql } from '../../../lib/postgres/driver/connection.ts'
import { type CopyReader, type MessageReader, readCopyOut } from '../../../lib/postgres/driver/copy-out.ts'
import { inTransaction, type Transaction } from '../../../lib/postgres/driver/transaction.ts'
import { connectionOf } from '../../support/engine.ts'
import { useDatabase } from '../../support/database.ts'
import { backendOf, everyConnection, killBackend, locksLeft } from '../../support/backends.ts'
import { createGate } from '../../support/storage-double.ts'
import { until } from '../../support/until.ts'

const mode = 'ISOLATION LEVEL REPEATABLE READ READ ONLY'
const copy = 'COPY item TO STDOUT'
/** More than a socket buffers. */
const manyRows = 30_000

interface TestPool { sql: Sql, pool: Sql, usable: () => Promise<void> }

/** A table `item` with this number of rows of 1 KB, and a pool that the library creates. */
async function usePool (t: Test, rows = manyRows, options: { ssl?: 'prefer' } = {}): Promise<TestPool> {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE item AS
    SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, ${rows}) i`)
  const pool = createPool({ ...connectionOf(url), ...options })
  t.after(async () => { await pool.end({ timeout: 1 }) })
  return {
    sql,
    pool,
    async usable () {
      t.strictSame(await everyConnection(pool), [1], 'every connection of the pool works')
      t.strictSame(await locksLeft(sql), [], 'no lock is left')
    }
  }
}

const copyOut = async (tx: Transaction, text: string, row: CopyReader['row']): Promise<void> => {
  await tx.copyOut([text], { begin () {}, row })
}

const never = new AbortController().signal

/** Resolves when the server has sent everything that belongs to the statement of this process. */
async function untilIdle (sql: Sql, pid: number): Promise<void> {
  await until(async () => {
    const found = await sql`SELECT FROM pg_stat_activity WHERE pid = ${pid} AND state LIKE 'idle in transaction%'`
    return found.length > 0
  })
}

// With ssl, rows come from postgres.js, also when the server has no TLS
for (const options of [{}, { ssl: 'prefer' as const }]) {
  t.test(`each row is one line, and the reader may pause (${inspect(options)})`, async (t) => {
    const { pool, usable } = await usePool(t, manyRows, options)
    let lines = 0
    let complete = 0
    await inTransaction(pool, mode, async (tx) => {
      await copyOut(tx, copy, (bytes, start, end) => {
        if (bytes.indexOf(0x0a, start) === end - 1) complete++
        return ++lines % 1000 === 0 ? new Promise((resolve) => { setImmediate(resolve) }) : undefined
      })
    })
    t.equal(lines, manyRows)
    t.equal(complete, manyRows)
    await usable()
  })

  t.test(`several statements are read in order (${inspect(options)})`, async (t) => {
    const { pool, usable } = await usePool(t, 3, options)
    const read: Array<number | string> = []
    await inTransaction(pool, mode, async (tx) => {
      const statements = [
        'COPY (SELECT id FROM item) TO STDOUT', 'COPY (SELECT WHERE false) TO STDOUT',
        "COPY (SELECT repeat('y', 400000)) TO STDOUT"
      ]
      await tx.copyOut(statements, {
        begin (index) { read.push(index) },
        row (bytes, start, end) {
          read.push(end - start > 10 ? end - start : bytes.toString('utf8', start, end))
          return undefined
        }
      })
    })
    t.strictSame(read, [0, '1\n', '2\n', '3\n', 1, 2, 400_001])
    await usable()
  })

  t.test(`a statement that fails ends those after it (${inspect(options)})`, async (t) => {
    const { pool, usable } = await usePool(t, 3, options)
    const begun: number[] = []
    await t.rejects(inTransaction(pool, mode, async (tx) => {
      await tx.copyOut([copy, 'COPY (SELECT 1 / (id - 2) FROM item) TO STDOUT', copy], {
        begin (index) { begun.push(index) },
        row: () => undefined
      })
    }), { code: '22012' })
    t.strictSame(begun, [0, 1])
    await usable()
  })

  t.test(`when the reader fails, the statements after it are cancelled too (${inspect(options)})`, async (t) => {
    const { pool, usable } = await usePool(t, manyRows, options)
    const begun: number[] = []
    await t.rejects(inTransaction(pool, mode, async (tx) => {
      await tx.copyOut([copy, copy, copy], {
        begin (index) { begun.push(index) },
        row: async () => { throw new Error('disk full') }
      })
    }, never), { message: 'disk full' })
    t.strictSame(begun, [0])
    await usable()
  })
}

/** A reader of messages that finds the rows in them, and calls `onRows` with the number that each call completed. */
function readMessages (onRows: (rows: number) => Promise<void> | undefined): MessageReader & { drops: number } {
  /** Bytes of the current row that have not arrived. */
  let missing = 0
  return {
    drops: 0,
    take (bytes, start, end) {
      let position = start
      let rows = 0
      while (position < end) {
        if (missing === 0) {
          if (end - position < 5 || bytes[position] !== 0x64) break
          missing = 1 + bytes.readUInt32BE(position + 1)
        }
        const size = Math.min(missing, end - position)
        position += size
        missing -= size
        if (missing === 0) rows++
      }
      return { position, taken: onRows(rows) }
    },
    drop () { this.drops++ }
  }
}

const noRow = (): undefined => { throw new Error('rows are taken from the socket') }

t.test('a reader of messages gets all rows of several statements, and may pause', async (t) => {
  const { pool, usable } = await usePool(t)
  const counts: number[] = []
  let calls = 0
  await inTransaction(pool, mode, async (tx) => {
    await tx.copyOut([copy, 'COPY (SELECT WHERE false) TO STDOUT', copy], {
      begin () { counts.push(0) },
      row: noRow,
      messages: readMessages((rows) => {
        counts.push((counts.pop() ?? 0) + rows)
        return ++calls % 10 === 0 ? new Promise((resolve) => { setImmediate(resolve) }) : undefined
      })
    })
    t.strictSame(await tx.query('SELECT count(*) AS rows FROM item'), [{ rows: manyRows }])
  })
  t.strictSame(counts, [manyRows, 0, manyRows])
  await usable()
})

t.test('when a reader of messages fails, the rest is dropped, and the statement is cancelled once', async (t) => {
  const { pool, usable } = await usePool(t)
  let cancels = 0
  const messages = readMessages(async () => { throw new Error('disk full') })
  const reader: CopyReader = { begin () {}, row: noRow, messages }
  const { readerError, failure } = await pool.begin(async (raw) =>
    await readCopyOut(raw, [copy], reader, () => { cancels++ }))
  t.match(readerError, { error: { message: 'disk full' } })
  t.equal(failure, undefined)
  t.equal(messages.drops, 1)
  t.equal(cancels, 1)
  await usable()
})

t.test('a reader of messages that throws ends the connection, since its place in the stream is unknown', async (t) => {
  const { pool, usable } = await usePool(t)
  const full = new Error('out of memory')
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await tx.copyOut([copy], { begin () {}, row: noRow, messages: readMessages(() => { throw full }) })
  }, never), full)
  await usable()
})

t.test('a statement that fails in the middle rejects also for a reader of messages', async (t) => {
  const { pool, usable } = await usePool(t, 100)
  let rows = 0
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const messages = readMessages((count) => { rows += count; return undefined })
    await tx.copyOut(['COPY (SELECT text, 1 / (id - 50) FROM item) TO STDOUT'], { begin () {}, row: noRow, messages })
  }), { code: '22012' })
  t.equal(rows, 49)
  await usable()
})

// postgres.js 3.4.9 would leave its socket paused, and never read the answer of the next statement
t.test('the next statement gets its answer after a COPY that was paused at its end', async (t) => {
  const { sql, pool, usable } = await usePool(t, 500)
  await inTransaction(pool, mode, async (tx) => {
    const pid = await backendOf(tx)
    let lines = 0
    await copyOut(tx, copy, () => ++lines < 500 ? undefined : untilIdle(sql, pid))
    await copyOut(tx, copy, () => undefined)
    t.strictSame(await tx.query('SELECT count(*) AS rows FROM item'), [{ rows: 500 }])
  })
  await usable()
})

t.test('the next statement gets its answer after a COPY that was paused when it failed', async (t) => {
  const { sql, pool, usable } = await usePool(t, 60)
  const before = getDefaultHighWaterMark(false)
  setDefaultHighWaterMark(false, 16_384)
  t.teardown(() => { setDefaultHighWaterMark(false, before) })
  let lines = 0
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const pid = await backendOf(tx)
    await copyOut(tx, 'COPY (SELECT text, 1 / (id - 50) FROM item) TO STDOUT', () => {
      if (++lines > 1) return
      // After this, the rest has arrived and is read at once: more rows than the stream buffers, and the error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
      return untilIdle(sql, pid)
    })
  }), { code: '22012' })
  await usable()
})

t.test('when the reader fails, the statement is cancelled, and the error is that of the reader', async (t) => {
  const { pool, usable } = await usePool(t)
  let lines = 0
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyOut(tx, copy, () => {
      lines++
      throw new Error('disk full')
    })
  }, never), { message: 'disk full' })
  t.equal(lines, 1)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyOut(tx, copy, async () => { throw new Error('disk full') })
  }, never), { message: 'disk full' })
  await usable()
})

t.test('the statement is cancelled once, for any number of rows that have arrived', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  let cancels = 0
  const reader: CopyReader = { begin () {}, row: async () => { throw new Error('disk full') } }
  const { readerError } = await pool.begin(async (raw) => await readCopyOut(raw, [copy], reader, () => { cancels++ }))
  t.match(readerError, { error: { message: 'disk full' } })
  t.equal(cancels, 1)
  await usable()
})

t.test('a cancel request is repeated for each following statement, in case the first one did not arrive', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  let cancels = 0
  let rows = 0
  const reader: CopyReader = {
    begin (index) {
      if (index === 1) throw new Error('stopped')
    },
    row () {
      rows++
      return undefined
    }
  }
  const { readerError } = await pool.begin(async (raw) =>
    await readCopyOut(raw, [copy, copy, copy, copy], reader, () => { cancels++ }))
  t.match(readerError, { error: { message: 'stopped' } })
  t.equal(rows, 10)
  t.equal(cancels, 3)
  await usable()
})

t.test('a system error of the reader is not treated as a loss of the connection', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' })
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyOut(tx, copy, () => { throw full })
  }, never), full)
  await usable()
})

t.test('when the reader fails in a transaction without a signal, the remaining rows are dropped', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    await copyOut(tx, copy, async () => { throw new Error('disk full') })
  }), { message: 'disk full' })
  await usable()
})

async function run (pool: Sql, text: string): Promise<void> {
  await inTransaction(pool, mode, async (tx) => { await copyOut(tx, text, () => undefined) })
}

t.test('a statement that fails rejects, before and after its first row', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  await t.rejects(run(pool, 'COPY nothing TO STDOUT'), { code: '42P01' })
  await t.rejects(run(pool, "COPY (SELECT repeat('x', 100000), 1 / (id - 5) FROM item) TO STDOUT"), { code: '22012' })
  await usable()
})

// With postgres.js 3.4.9 alone it would end the process
t.test('an error that arrives with the first row rejects', async (t) => {
  const { pool, usable } = await usePool(t, 10)
  await t.rejects(run(pool, 'COPY (SELECT 1 / (id - 2) FROM item) TO STDOUT'), { code: '22012' })
  await usable()
})

t.test('a backend that is killed while rows arrive rejects, paused or not', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  for (const hold of [false, true]) {
    await t.rejects(inTransaction(pool, mode, async (tx) => {
      const pid = await backendOf(tx)
      let killing: Promise<void> | undefined
      await copyOut(tx, copy, () => {
        killing ??= killBackend(sql, pid)
        return hold ? killing : undefined
      })
    }), { code: /^(CONNECTION_CLOSED|ECONNRESET)$/ })
  }
  await usable()
})

// 5: all rows have arrived and the socket waits for more. 200: the socket is paused
for (const rows of [5, 200]) {
  t.test(`a backend that is killed after it sent ${rows} rows ends the transaction, not the process`, async (t) => {
    await killAtEnd(t, rows)
  })
}

async function killAtEnd (t: Test, rows: number): Promise<void> {
  const { sql, pool, usable } = await usePool(t, rows)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const pid = await backendOf(tx)
    let killing: Promise<void> | undefined
    await copyOut(tx, copy, () => {
      killing ??= gone(pid)
      return killing
    })
    await tx.query('SELECT 1 AS one')
  }), { code: 'CONNECTION_CLOSED' })
  await usable()

  /** Waits until the socket is closed at this end, too. */
  async function gone (pid: number): Promise<void> {
    await killBackend(sql, pid)
    let turns = 0
    await until(async () => ++turns > 5)
  }
}

t.test('when the reader fails after the backend was killed, the error is that of the reader', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  await t.rejects(inTransaction(pool, mode, async (tx) => {
    const pid = await backendOf(tx)
    await copyOut(tx, copy, async () => {
      await killBackend(sql, pid)
      throw new Error('disk full')
    })
  }, never), { message: 'disk full' })
  await usable()
})

for (const options of [{}, { ssl: 'prefer' as const }]) {
  t.test(`a statement that waits for its turn stops the server (${inspect(options)})`, async (t) => {
    const { sql, pool, usable } = await usePool(t, manyRows, options)
    await inTransaction(pool, mode, async (tx) => {
      const pid = await backendOf(tx)
      const events: string[] = []
      let grant = (): void => {}
      const copied = tx.copyOut(['COPY (SELECT WHERE false) TO STDOUT', copy, 'COPY (SELECT 1) TO STDOUT'], {
        begin (index) { events.push(`begin ${index}`) },
        waitForTurn: (index) => index === 0
          ? new Promise((resolve) => { grant = resolve })
          : index === 1 ? Promise.resolve() : undefined,
        row (bytes, start) {
          const row = bytes.toString('latin1', start, start + 2)
          if (events.at(-1) !== row.slice(0, 1)) events.push(row.slice(0, 1))
          return undefined
        }
      })
      await until(async () => (await sql`SELECT FROM pg_stat_activity
        WHERE pid = ${pid} AND wait_event = 'ClientWrite'`).length > 0)
      t.strictSame(events, ['begin 0'])
      grant()
      await copied
      t.strictSame(events.slice(0, 3), ['begin 0', 'begin 1', '1'])
      t.strictSame(events.slice(-2), ['begin 2', '1'])
    })
    await usable()
  })
}

t.test('a statement that waits stops the server also when a promise of the one before settles', async (t) => {
  const { sql, pool, usable } = await usePool(t)
  await inTransaction(pool, mode, async (tx) => {
    const pid = await backendOf(tx)
    const isBlocked = async (): Promise<boolean> => (await sql`SELECT FROM pg_stat_activity
      WHERE pid = ${pid} AND wait_event = 'ClientWrite'`).length > 0
    const [writing, waiting] = [createGate(), createGate()]
    let rows = 0
    const copied = tx.copyOut(['COPY (SELECT 1) TO STDOUT', copy], {
      begin () {},
      waitForTurn: (index) => index === 1 ? waiting.pass() : undefined,
      row: () => ++rows === 1 ? writing.pass() : undefined
    })
    await until(isBlocked)
    writing.open()
    // In that time all rows of the statement that waits would arrive, too
    for (let times = 0; times < 3; times++) await run(pool, copy)
    t.ok(await isBlocked())
    t.equal(rows, 1)
    waiting.open()
    await copied
    t.equal(rows, 1 + manyRows)
  })
  await usable()
})

t.test('a turn that is refused ends all statements, and their rows are dropped', async (t) => {
  const { pool, usable } = await usePool(t)
  let rows = 0
  await inTransaction(pool, mode, async (tx) => {
    await t.rejects(tx.copyOut([copy, copy], {
      begin () {},
      waitForTurn: async () => { throw new Error('refused') },
      row () {
        rows++
        return undefined
      }
    }), { message: 'refused' })
  }).catch(() => {})
  t.equal(rows, 0)
  await usable()
})

t.test('isDirect() is true without a pooler', async (t) => {
  const { pool } = await usePool(t, 1)
  t.equal(await inTransaction(pool, mode, async (tx) => await tx.isDirect()), true)
})
