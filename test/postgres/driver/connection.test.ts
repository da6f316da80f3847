import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import postgres from 'postgres'
import { acceptPool, createPool } from '../../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../../lib/postgres/driver/transaction.ts'
import { useDatabase } from '../../support/database.ts'
import { useDirectory } from '../../support/directory.ts'
import { everyConnection } from '../backends.ts'

t.test('a pool too small for a run and the log is refused, whoever made it', async (t) => {
  t.throws(() => acceptPool(postgres({ max: 1 })), { code: 'FST_BACKUP_OPTION_INVALID', message: /'sql' has max: 1.*max: 2 or more/ })
  t.throws(() => createPool({ max: 1 }), { code: 'FST_BACKUP_OPTION_INVALID', message: /'connection' has max: 1/ })
  t.throws(() => createPool('postgres://nowhere/x?max=1'), { code: 'FST_BACKUP_OPTION_INVALID' })
  const sql = postgres({ max: 2 })
  t.equal(acceptPool(sql), sql)
})

t.test('of a URL that can not be read nothing is told, since it may hold a password', async (t) => {
  for (const url of ['postgres://app:hunter2#t@host/db', 'postgres://app:hunter2/x@host/db', 'postgres://app:hunter2%@host/db', 'postgres://app:hunter2@host:99999/db']) {
    try {
      createPool(url)
      t.fail(url)
    } catch (error) {
      t.match(error, { code: 'FST_BACKUP_OPTION_INVALID', message: /'connection' is no URL that can be read; percent-encode/ })
      t.notMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
    }
  }
  const before = process.env.DATABASE_URL
  process.env.DATABASE_URL = 'postgres://app:hunter2#t@host/db'
  t.throws(() => createPool(undefined), { message: /^DATABASE_URL is no URL/ })
  if (before === undefined) delete process.env.DATABASE_URL
  else process.env.DATABASE_URL = before
})

t.test('what the server remarks is printed nowhere', async (t) => {
  const { url } = await useDatabase(t)
  const pool = createPool(url)
  const printed = t.capture(console, 'log')
  await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => { await tx.run("DO $$ BEGIN RAISE NOTICE 'hunter2'; END $$") })
  t.same(printed(), [])
  await pool.end()
})

t.test('a URL, DATABASE_URL, or options', async (t) => {
  const { url } = await useDatabase(t)
  const before = process.env.DATABASE_URL
  t.after(async () => {
    if (before === undefined) delete process.env.DATABASE_URL
    else process.env.DATABASE_URL = before
  })
  process.env.DATABASE_URL = url
  const { hostname, port, username, password, pathname } = new URL(url)
  for (const connection of [url, undefined, { host: hostname, port: Number(port), username, password: decodeURIComponent(password), database: pathname.slice(1) }]) {
    const pool = createPool(connection)
    t.same(await everyConnection(pool), [1])
    await pool.end()
  }
})

t.test('by a socket that has a path, and not a port', async (t) => {
  const { url } = await useDatabase(t)
  const target = new URL(url)
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\fastify-backup-${process.pid}` : join(await useDirectory(t), 's')
  const server = createServer((client) => {
    const database = connect(Number(target.port), target.hostname)
    client.pipe(database).pipe(client)
  }).listen(path)
  t.after(async () => { server.close() })
  const pool = createPool({ path, username: target.username, password: decodeURIComponent(target.password), database: target.pathname.slice(1) })
  t.same(await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => await tx.query('SELECT 1 AS one')), [{ one: 1 }])
  await pool.end()
})

t.test('several addresses are tried in turn', async (t) => {
  const { url } = await useDatabase(t)
  const { host, username, password, pathname } = new URL(url)
  const pool = createPool(`postgres://${username}:${password}@127.0.0.1:1,${host}${pathname}`)
  t.same(await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => await tx.query('SELECT 1 AS one')), [{ one: 1 }])
  await pool.end()
})
