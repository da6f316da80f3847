import t from 'tap'
import postgres from 'postgres'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { pinSettings } from '../../lib/postgres/settings.ts'
import { useDatabase } from '../support/database.ts'

t.test('the timeouts of a role do not apply to a run', async (t) => {
  const { url } = await useDatabase(t)
  const timeouts = { statement_timeout: 60_000, lock_timeout: 61_000, idle_in_transaction_session_timeout: 62_000 }
  const sql = postgres(url, { max: 2, connection: timeouts, onnotice () {} })
  t.after(async () => { await sql.end() })
  const [{ version } = { version: 0 }] = await sql`SELECT current_setting('server_version_num')::int AS version`
  const names = [...Object.keys(timeouts), ...version >= 170000 ? ['transaction_timeout'] : []]
  const read = `SELECT current_setting(name) AS value FROM unnest('{${names.join(',')}}'::text[]) AS name`
  const values = await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
    if (version >= 170000) await tx.run("SET LOCAL transaction_timeout = '63s'")
    const before = await tx.query<{ value: string }>(read)
    await pinSettings(tx, version)
    return { before, after: await tx.query<{ value: string }>(read) }
  })
  t.strictSame(values.before.map(({ value }) => value), ['1min', '61s', '62s', '63s'].slice(0, names.length))
  t.strictSame(values.after.map(({ value }) => value), names.map(() => '0'))
})
