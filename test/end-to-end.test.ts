import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import backup from '../lib/index.ts'
import type { Backup, BackupOptions } from '../lib/index.ts'
import { quoteIdentifier } from '../lib/postgres/identifiers.ts'
import { untilBlocked } from './support/backends.ts'
import { testSchema, useDatabase } from './support/database.ts'
import { useDirectory } from './support/directory.ts'
import { inWorkers } from './support/worker.ts'

const token = randomUUID()
const base = '/admin/backup'
const headers = { authorization: `Bearer ${token}` }

/** An app with the plugin, on its own database with a table of two rows. */
async function useApp (t: Test, options: BackupOptions = {}) {
  const { url, sql } = await useDatabase(t)
  const storagePath = await useDirectory(t)
  await sql`CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, profile jsonb)`
  await sql`INSERT INTO users (name, profile) VALUES ('Ada', '{"a": 1.10}'), ('Bob', NULL)`
  const app = Fastify()
  await app.register(backup, {
    enabled: true,
    connection: url,
    schema: testSchema,
    storagePath,
    allowRestore: true,
    worker: inWorkers,
    auth: [async (request) => {
      if (request.headers.authorization === headers.authorization) return
      throw Object.assign(new Error('Admins only'), { statusCode: 401 })
    }],
    ...options
  })
  t.after(async () => { await app.close() })
  await app.ready()
  return { app, sql, url, storagePath }
}

async function create (app: FastifyInstance, payload: object = {}): Promise<Backup> {
  const answer = await app.inject({ method: 'POST', url: base, headers, payload })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<Backup>()
}

t.test('a snapshot is created, listed, downloaded and restored over HTTP', async (t) => {
  const { app, sql } = await useApp(t)
  const made = await create(app, { note: 'before the change' })
  t.match(made, {
    status: 'completed',
    trigger: 'manual',
    tableCount: 1,
    rowCount: 2,
    note: 'before the change',
    available: true
  })

  const listed = await app.inject({ url: base, headers })
  t.same(listed.json(), { backups: [made], next: null })

  const file = await app.inject({ url: `${base}/${made.id}/download`, headers })
  t.equal(Buffer.byteLength(file.body), made.sizeBytes)
  t.same(JSON.parse(file.body).data, {
    users: [{ id: '1', name: 'Ada', profile: { a: 1.1 } }, { id: '2', name: 'Bob' }]
  })
  t.match(file.body, '{"id":"1","name":"Ada","profile":{"a": 1.10}},\n', 'one row per line, and all digits of jsonb')

  await sql`DELETE FROM users`
  await sql`INSERT INTO users (name) VALUES ('Eve')`
  const plan = await app.inject({ method: 'POST', url: `${base}/${made.id}/plan`, headers })
  t.same(plan.json(), {
    id: made.id,
    schema: testSchema,
    tables: [{ name: 'users', rowsNow: 1, rowsAfter: 2 }],
    untouched: ['backup_logs'],
    drift: [],
    sequences: [{ name: 'users_id_seq', now: '3', after: '2' }],
    warnings: [],
    ok: true
  })

  const restored = await app.inject({ method: 'POST', url: `${base}/${made.id}/restore`, headers })
  const { id, rowCount, tables } = restored.json()
  t.same({ id, rowCount, tables }, { id: made.id, rowCount: 2, tables: [{ name: 'users', rows: 2 }] })
  t.same([...await sql`SELECT id::int, name FROM users ORDER BY id`], [{ id: 1, name: 'Ada' }, { id: 2, name: 'Bob' }])
  t.same(
    [...await sql`INSERT INTO users (name) VALUES ('Cleo') RETURNING id::int`],
    [{ id: 3 }],
    'the sequence continues after the restored rows'
  )

  const undo = await app.inject({ method: 'POST', url: `${base}/${restored.json().preRestoreId}/restore`, headers })
  t.equal(undo.statusCode, 200)
  t.same([...await sql`SELECT name FROM users`], [{ name: 'Eve' }], 'what was replaced can be had back')
  t.match((await app.inject({ url: `${base}/${made.id}`, headers })).json(), {
    status: 'restored', restore: { status: 'completed', preRestoreId: restored.json().preRestoreId }
  })
})

t.test('the outcome of an asynchronous run is in the log', async (t) => {
  const { app } = await useApp(t)
  const completed = once(app.backup as never, 'backup:completed')
  const answer = await app.inject({ method: 'POST', url: base, headers: { ...headers, prefer: 'respond-async' } })
  t.equal(answer.statusCode, 202)
  t.equal(answer.json().status, 'running')
  await completed
  t.match(
    (await app.inject({ url: String(answer.headers.location), headers })).json(), { status: 'completed', rowCount: 2 }
  )
})

t.test('schemas and tables may have any names', async (t) => {
  const { app, sql, storagePath } = await useApp(t)
  const unicode = 'ü'.repeat(31) + 'x'
  for (const schema of ['a"b', '../x', '__proto__', 'select', unicode, "o'clock", 'Tab\tLine\n', 'back\\slash']) {
    // postgres.js splits a name at a dot
    const quoted = quoteIdentifier(schema)
    await sql.unsafe(`CREATE SCHEMA ${quoted}`)
    for (const table of [schema, 'data', 'manifest', 'constructor']) {
      await sql.unsafe(`CREATE TABLE ${quoted}.${quoteIdentifier(table)}
        ("__proto__" text, "1" int, "manifest" int[])`)
    }
    await sql.unsafe(`INSERT INTO ${quoted}.${quoted} VALUES ('x', 1, '{1,NULL}')`)
    const made = await create(app, { schema })
    t.match(made, { schema, tableCount: 4, rowCount: 1 }, schema)
    t.match(made.filename, /^[A-Za-z0-9%_-]+\.json$/)
    t.match(JSON.parse(await readFile(join(storagePath, made.filename), 'utf8')).manifest, { schema })
    await sql.unsafe(`TRUNCATE ${quoted}.${quoted}`)
    const restored = await app.inject({ method: 'POST', url: `${base}/${made.id}/restore`, headers })
    t.equal(restored.statusCode, 200, restored.body)
    t.equal((await sql.unsafe(`SELECT * FROM ${quoted}.${quoted}`)).length, 1)
  }
})

t.test('the name of an unknown schema, of a system schema, or one that is too long is an error', async (t) => {
  const { app } = await useApp(t)
  for (const [schema, statusCode, code] of [
    ['nowhere', 404, 'FST_BACKUP_SCHEMA_NOT_FOUND'],
    ['pg_catalog', 403, 'FST_BACKUP_SCHEMA_NOT_ALLOWED'],
    ['information_schema', 403, 'FST_BACKUP_SCHEMA_NOT_ALLOWED']
  ] as const) {
    const answer = await app.inject({ method: 'POST', url: base, headers, payload: { schema } })
    t.match(answer.json(), { statusCode, code }, schema)
  }
  const long = await app.inject({ method: 'POST', url: base, headers, payload: { schema: 'x'.repeat(64) } })
  t.equal(long.statusCode, 400)
  t.same((await app.inject({ url: base, headers })).json().backups, [], 'a refusal leaves no row')
})

t.test('a file that was truncated, edited, swapped or reformatted is not restored', async (t) => {
  const { app, sql, storagePath } = await useApp(t)
  const made = await create(app)
  const other = await create(app)
  const path = join(storagePath, made.filename)
  const whole = await readFile(path, 'utf8')
  const restore = async (): Promise<object> =>
    (await app.inject({ method: 'POST', url: `${base}/${made.id}/restore`, headers })).json()
  const refused = { statusCode: 422, code: 'FST_BACKUP_SNAPSHOT_INVALID' }

  await truncate(path, whole.length - 20)
  t.match(await restore(), refused, 'truncated')
  await writeFile(path, whole.replace('"Ada"', '"Eve"'))
  t.match(await restore(), { ...refused, message: /checksum/ }, 'data edited')
  await writeFile(path, whole.replace('"lastValue":"2"', '"lastValue":"9"'))
  t.match(await restore(), { ...refused, message: /its manifest does not match/ }, 'manifest edited')
  await writeFile(path, await readFile(join(storagePath, other.filename)))
  t.match(await restore(), { ...refused, message: new RegExp(other.id) }, 'swapped')
  await writeFile(path, JSON.stringify(JSON.parse(whole), null, 2))
  t.match(await restore(), refused, 'reformatted')
  t.match(await app.backup.restore(made.id, { allowModified: true }), { rowCount: 2 }, 'a call by code may allow it')
  await app.close()
  t.same([...await sql`SELECT name FROM users ORDER BY id`], [{ name: 'Ada' }, { name: 'Bob' }])
})

t.test('a table that is dropped while it is being locked is left out, and the others are complete', async (t) => {
  const { app, sql } = await useApp(t)
  await sql`CREATE TABLE doomed (id int)`
  // The snapshot waits for this lock. When it is released, the table no longer exists
  const gone = sql.begin(async (tx) => {
    await tx`DROP TABLE doomed`
    const answer = app.inject({ method: 'POST', url: base, headers })
    await untilBlocked(sql)
    return { answer }
  })
  const { answer } = await gone
  t.match((await answer).json(), { status: 'completed', tableCount: 1, rowCount: 2 })
})

t.test('a postgres.js instance of the application may transform rows, and is not closed', async (t) => {
  const { url } = await useDatabase(t)
  const own = postgres(url, { max: 2, onnotice () {}, transform: postgres.camel, types: { bigint: postgres.BigInt } })
  t.after(async () => { await own.end() })
  await own`CREATE TABLE user_names (long_id bigint PRIMARY KEY)`
  await own`INSERT INTO user_names VALUES (9223372036854775807)`
  const app = Fastify()
  await app.register(backup, {
    enabled: true,
    sql: own,
    schema: testSchema,
    worker: inWorkers,
    auth: false,
    restoreAuth: [async () => {}],
    allowRestore: true,
    storagePath: await useDirectory(t)
  })
  const made = await app.backup.create()
  await own`TRUNCATE user_names`
  await app.backup.restore(made.id)
  await app.close()
  t.same([...await own`SELECT long_id::text FROM user_names`], [{ longId: '9223372036854775807' }])
})

t.test('a pool of one connection is an error', async (t) => {
  const single = postgres('postgres://localhost/nowhere', { max: 1 })
  const app = Fastify()
  await t.rejects(Promise.resolve(app.register(backup, { enabled: true, sql: single, auth: [async () => {}] })), {
    code: 'FST_BACKUP_OPTION_INVALID', message: /'sql' has max: 1/
  })
  const other = Fastify()
  await t.rejects(
    Promise.resolve(other.register(backup, { enabled: true, connection: { max: 1 }, auth: [async () => {}] })),
    { code: 'FST_BACKUP_OPTION_INVALID', message: /'connection' has max: 1/ }
  )
})

t.test('a tenant is cloned by restoring into another schema of the same shape', async (t) => {
  const { app, sql } = await useApp(t)
  for (const schema of ['tenant_a', 'tenant_b']) {
    await sql`CREATE SCHEMA ${sql(schema)}`
    await sql`CREATE TYPE ${sql(schema)}.mood AS ENUM ('good', 'bad')`
    await sql`CREATE TABLE ${sql(schema)}.notes (id serial PRIMARY KEY, mood ${sql(schema)}.mood)`
  }
  await sql`INSERT INTO tenant_a.notes (mood) VALUES ('good'), ('bad')`
  const made = await create(app, { schema: 'tenant_a' })
  const restored = await app.inject({
    method: 'POST', url: `${base}/${made.id}/restore`, headers, payload: { schema: 'tenant_b' }
  })
  t.match(restored.json(), { schema: 'tenant_b', rowCount: 2 })
  t.same([...await sql`SELECT id, mood::text FROM tenant_b.notes ORDER BY id`], [
    { id: 1, mood: 'good' }, { id: 2, mood: 'bad' }
  ])
  t.same([...await sql`INSERT INTO tenant_b.notes DEFAULT VALUES RETURNING id`], [{ id: 3 }])
  t.strictSame((await app.backup.list({ schema: 'tenant_b' })).backups.map(({ trigger }) => trigger), ['pre_restore'])
})

t.test('a slow client keeps no connection to the database and does not delay closing the app', async (t) => {
  const { app, sql } = await useApp(t)
  await sql`CREATE TABLE large AS SELECT repeat('x', 1000000) AS text FROM generate_series(1, 30)`
  const made = await create(app)
  const address = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const client = connect(Number(address.port), address.hostname)
  client.write(`GET ${base}/${made.id}/download HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\n\r\n`)
  const [first] = await once(client, 'data') as [Buffer]
  t.match(first.toString(), /^HTTP\/1\.1 200 OK\r\n/)
  client.pause()
  let received = first.length

  const busy = await sql`SELECT state, query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`
  t.same([...busy], [])
  // If it waited for the client, this would take until the download counts as stalled, one minute
  await app.close()
  client.on('data', (chunk) => { received += chunk.length }).on('error', () => {}).resume()
  await new Promise((resolve) => { client.once('close', resolve) })
  t.ok(received < (made.sizeBytes ?? 0), 'the connection was closed before the end of the file')
})
