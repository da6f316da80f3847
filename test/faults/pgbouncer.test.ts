import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { connectionOf, type Place, useEngine, usePlace } from '../support/engine.ts'
import { testSchema } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { findServerUser } from '../support/server-user.js'
import { useReading } from '../backup/range-reading.ts'
import { violations } from './invariants.ts'

const program = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  .map((directory) => join(directory, 'pgbouncer'))
  .find((path) => existsSync(path))

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The URL of a PgBouncer in transaction mode, which assigns any free connection to each transaction. */
async function useBouncer (t: Test, { url }: Place, path: string): Promise<string> {
  const directory = await useDirectory(t)
  const { host, port, database, username, password } = connectionOf(url)
  const listening = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  await writeFile(file, `[databases]
${database} = host=${host} port=${port} dbname=${database} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listening}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
server_reset_query_always = 0
ignore_startup_parameters = extra_float_digits,search_path
`)
  await chmod(directory, 0o755)
  const child = spawn(path, [file], { ...findServerUser(), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  }
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(output)
    const socket = connect(listening, '127.0.0.1')
    const isUp = await once(socket, 'connect').then(() => true, () => false)
    socket.destroy()
    if (isUp) break
    await delay(20)
  }
  const bounced = new URL(url)
  bounced.host = `127.0.0.1:${listening}`
  return bounced.href
}

for (const worker of [true, false]) {
  t.test(`all calls work with PgBouncer in transaction mode, ${worker ? 'in a worker' : 'on the main thread'}`, {
    skip: program === undefined && 'pgbouncer is not installed'
  }, async (t) => {
    if (program === undefined) return
    const place = await usePlace(t)
    const url = await useBouncer(t, place, program)
    const [first, second] = [
      useEngine(t, { ...place, url }, { worker, maxBackups: 4 }),
      useEngine(t, { ...place, url }, { worker, maxBackups: 4 })
    ]
    first.start()
    const { id } = await first.create()
    await first.update(id, { pinned: true })
    // Two replicas and a busy database share the connections
    const busy = Promise.all(Array.from({ length: 50 }, async () => await place.sql`SELECT pg_sleep(0.02)`))
    for (let round = 0; round < 4; round++) {
      const both = await Promise.allSettled([first.create(), second.create()])
      t.ok(both.some(({ status }) => status === 'fulfilled'))
      for (const outcome of both) {
        if (outcome.status === 'rejected') {
          t.match(outcome.reason, { code: 'FST_BACKUP_BUSY' })
        }
      }
      await place.sql`DELETE FROM orders`
      t.match(await second.restore(id), { rowCount: 5 })
      t.equal((await place.sql`SELECT FROM orders`).length, 3)
    }
    await busy
    const stopping = new AbortController()
    const aborted = first.restore(id, { signal: stopping.signal, onProgress () { stopping.abort() } })
    await aborted.catch((error: unknown) => { t.match(error, { code: 'FST_BACKUP_ABORTED' }) })
    t.strictSame(await first.verify(id), { ok: true, problems: [] })
    t.strictSame((await first.plan(id)).tables, [
      { name: 'orders', rowsNow: 3, rowsAfter: 3 },
      { name: 'users', rowsNow: 2, rowsAfter: 2 }
    ])
    t.strictSame(await second.rescan(), { adopted: [], missing: [] })
    t.equal((await place.sql`SELECT FROM ${place.sql(testSchema)}.orders`).length, 3)
    await first.stop()
    t.strictSame((await violations(place)).filter((problem) => !problem.startsWith('a lock')), [])
  })
}

t.test('indexes are rebuilt through PgBouncer in transaction mode', {
  skip: program === undefined && 'pgbouncer is not installed'
}, async (t) => {
  if (program === undefined) return
  const place = await usePlace(t)
  await place.sql.unsafe(`CREATE TABLE large (a int); CREATE INDEX by_a ON large (a);
    INSERT INTO large SELECT generate_series(1, 5000)`)
  const engine = useEngine(t, { ...place, url: await useBouncer(t, place, program) })
  const { id } = await engine.create()
  const oid = async (): Promise<unknown> => (await place.sql`SELECT 'by_a'::regclass::oid`)[0]?.oid
  const before = await oid()
  await place.sql`DELETE FROM large`
  await engine.restore(id)
  t.not(await oid(), before)
  t.equal((await place.sql`SELECT FROM large`).length, 5000)
})

t.test('one connection reads a backup through PgBouncer', {
  skip: program === undefined && 'pgbouncer is not installed'
}, async (t) => {
  if (program === undefined) return
  const place = await usePlace(t)
  await place.sql.unsafe("CREATE TABLE large AS SELECT repeat('x', 700) AS text FROM generate_series(1, 20000)")
  const direct = await useReading(t, place)
  const pooled = await useReading(t, { ...place, url: await useBouncer(t, place, program) })
  const several = await direct.take(2)
  t.equal(several.readers, 2)
  const one = await pooled.take(2)
  t.equal(one.ranges, 0)
  t.ok(one.file.equals(several.file))
})
