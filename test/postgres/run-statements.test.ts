import t from 'tap'
import { createPool } from '../../lib/postgres/driver/connection.ts'
import { runAll } from '../../lib/postgres/run-statements.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../support/database.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
const isDivision = (error: unknown): boolean => (error as { code?: unknown }).code === '22012'

t.test('the statement that fails among many gets its own error, and one that succeeds the second time is no failure', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE done (id int)`
  // A sequence keeps what it gave, also when the transaction is undone
  await sql`CREATE SEQUENCE tried MINVALUE 0`
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  const run = async (divisors: string[]): Promise<void> => {
    await inTransaction(pool, mode, async (tx) => {
      await runAll(tx, divisors, (divisor) => `INSERT INTO done VALUES (10 / ${divisor})`, isDivision, async (divisor) => new RangeError(`by ${divisor}`))
    })
  }
  await run(["nextval('tried')::int", '5'])
  t.same((await sql`SELECT id FROM done ORDER BY id`).map(({ id }) => id), [2, 10])
  await t.rejects(run(['2', '(1 - 1)', '5']), new RangeError('by (1 - 1)'))
  await t.rejects(run(['1', 'missing']), { code: '42703' }, 'an error that does not concern it is handed on')
  await sql`SELECT setval('tried', 0, false)`
  await t.rejects(run(["nextval('tried')::int", "'x'::text::int"]), { code: '22P02' }, 'nor does one that comes the second time')
  t.same(await sql`SELECT count(*)::int FROM done`, [{ count: 2 }], 'and all is undone')
})
