import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import postgres from 'postgres'
import { acceptPool, createPool } from '../../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../../support/database.ts'
import { useDirectory } from '../../support/directory.ts'
import { everyConnection } from '../../support/backends.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ ONLY'

t.test('a pool that is too small for a run is refused', async (t) => {
  const refused = (message: RegExp): { code: string, message: RegExp } =>
    ({ code: 'FST_BACKUP_OPTION_INVALID', message })
  t.throws(() => acceptPool(postgres({ max: 1 })), refused(/'sql' has max: 1.*max: 2 or more/))
  t.throws(() => createPool({ max: 1 }), refused(/'connection' has max: 1/))
  t.throws(() => createPool('postgres://nowhere/x?max=1'), refused(/'connection' has max: 1/))
  const sql = postgres({ max: 2 })
  t.equal(acceptPool(sql), sql)
})

t.test('the error for an invalid URL contains no part of it: it may have a password', async (t) => {
  const urls = [
    'postgres://app:hunter2#t@host/db', 'postgres://app:hunter2/x@host/db', 'postgres://app:hunter2%@host/db',
    'postgres://app:hunter2@host:99999/db'
  ]
  for (const url of urls) {
    try {
      createPool(url)
      t.fail(url)
    } catch (error) {
      const message = /'connection' is not a valid URL; percent-encode/
      t.match(error, { code: 'FST_BACKUP_OPTION_INVALID', message })
      t.notMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
    }
  }
  const before = process.env.DATABASE_URL
  process.env.DATABASE_URL = 'postgres://app:hunter2#t@host/db'
  t.throws(() => createPool(undefined), { message: /^DATABASE_URL is not a valid URL/ })
  if (before === undefined) delete process.env.DATABASE_URL
  else process.env.DATABASE_URL = before
})

t.test('notices of the server are not printed', async (t) => {
  const { url } = await useDatabase(t)
  const pool = createPool(url)
  const printed = t.capture(console, 'log')
  await inTransaction(pool, mode, async (tx) => { await tx.run("DO $$ BEGIN RAISE NOTICE 'hunter2'; END $$") })
  t.strictSame(printed(), [])
  await pool.end()
})

t.test('connects by a URL, by DATABASE_URL, and by options', async (t) => {
  const { url } = await useDatabase(t)
  const before = process.env.DATABASE_URL
  t.after(async () => {
    if (before === undefined) delete process.env.DATABASE_URL
    else process.env.DATABASE_URL = before
  })
  process.env.DATABASE_URL = url
  const { hostname, port, username, password, pathname } = new URL(url)
  const login = { username, password: decodeURIComponent(password) }
  const options = { host: hostname, port: Number(port), ...login, database: pathname.slice(1) }
  for (const connection of [url, undefined, options]) {
    const pool = createPool(connection)
    t.strictSame(await everyConnection(pool), [1])
    await pool.end()
  }
})

t.test('connects by a socket with a path', async (t) => {
  const { url } = await useDatabase(t)
  const target = new URL(url)
  const path = process.platform === 'win32'
    ? `\\\\.\\pipe\\fastify-backup-${process.pid}`
    : join(await useDirectory(t), 's')
  const server = createServer((client) => {
    const database = connect(Number(target.port), target.hostname)
    client.pipe(database).pipe(client)
  }).listen(path)
  t.after(async () => { server.close() })
  const { username, password, pathname } = target
  const login = { username, password: decodeURIComponent(password) }
  const pool = createPool({ path, ...login, database: pathname.slice(1) })
  t.strictSame(await inTransaction(pool, mode, async (tx) => await tx.query('SELECT 1 AS one')), [{ one: 1 }])
  await pool.end()
})

t.test('several addresses are tried in turn', async (t) => {
  const { url } = await useDatabase(t)
  const { host, username, password, pathname } = new URL(url)
  const pool = createPool(`postgres://${username}:${password}@127.0.0.1:1,${host}${pathname}`)
  t.strictSame(await inTransaction(pool, mode, async (tx) => await tx.query('SELECT 1 AS one')), [{ one: 1 }])
  await pool.end()
})
