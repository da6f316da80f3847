import t from 'tap'
import { createPool } from '../../lib/postgres/driver/connection.ts'
import { runAll } from '../../lib/postgres/run-statements.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../support/database.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
const isDivision = (error: unknown): boolean => (error as { code?: unknown }).code === '22012'

t.test('the failed statement among many is explained; one that succeeds when run again is not', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE done (id int)`
  // A sequence keeps its value when the transaction is rolled back
  await sql`CREATE SEQUENCE tried MINVALUE 0`
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  const run = async (divisors: string[]): Promise<void> => {
    await inTransaction(pool, mode, async (tx) => {
      await runAll(tx, divisors, (divisor) => `INSERT INTO done VALUES (10 / ${divisor})`, {
        concerns: isDivision,
        explain: async (divisor) => new RangeError(`by ${divisor}`)
      })
    })
  }
  await run(["nextval('tried')::int", '5'])
  t.strictSame((await sql`SELECT id FROM done ORDER BY id`).map(({ id }) => id), [2, 10])
  await t.rejects(run(['2', '(1 - 1)', '5']), new RangeError('by (1 - 1)'))
  await t.rejects(run(['1', 'missing']), { code: '42703' }, 'an error that is not of that kind is thrown as it is')
  await sql`SELECT setval('tried', 0, false)`
  const failsLater = ["nextval('tried')::int", "'x'::text::int"]
  await t.rejects(run(failsLater), { code: '22P02' }, 'also when it occurs in the second run')
  t.strictSame([...await sql`SELECT count(*)::int FROM done`], [{ count: 2 }], 'all of it is rolled back')
})
