import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import backup from '../../lib/index.ts'
import type { Backup, BackupOptions } from '../../lib/index.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { testSchema } from '../support/database.ts'
import { inWorkers } from '../support/worker.ts'
import { untilConsistent } from './invariants.ts'
import { isLong } from './service-process.ts'

const base = '/admin/backup'
const password = 'pass-4d2f-word'
const rowSecret = 'row secret-8b11'
const noteSecret = 'note-secret-77aa'

/** Accepts the users that are listed. The user is the value of the header `authorization`. */
function only (...users: string[]) {
  return async ({ headers }: FastifyRequest): Promise<void> => {
    const user = headers.authorization
    if (user === undefined) throw Object.assign(new Error('Sign in'), { statusCode: 401 })
    const statusCode = user === 'reader' ? 403 : 401
    if (!users.includes(user)) throw Object.assign(new Error('Not for you'), { statusCode })
  }
}

interface Target extends Place { app: FastifyInstance, output: () => string, address: { port: number, host: string } }

/** The plugin on a port, connected as a role with a password; `output` returns all that it has logged. */
async function useService (t: Test, options: BackupOptions = {}): Promise<Target> {
  const place = await usePlace(t)
  const role = `caller_${randomUUID().slice(0, 8)}`
  await place.sql.unsafe(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${password}'`)
  t.after(async () => { await place.sql.unsafe(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP ROLE ${role}`) })
  const connection = new URL(place.url)
  connection.username = role
  connection.password = password
  let output = ''
  const stream = new Writable({
    write (chunk, _encoding, done) {
      output += String(chunk)
      done()
    }
  })
  const app = Fastify({ logger: { level: 'trace', stream } })
  await app.register(backup, {
    enabled: true,
    connection: connection.href,
    schema: testSchema,
    storagePath: place.directory,
    allowRestore: true,
    worker: inWorkers,
    auth: [only('admin', 'reader')],
    restoreAuth: [only('admin')],
    ...options
  })
  t.after(async () => { await app.close() })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return { ...place, app, output: () => output, address: { port, host: '127.0.0.1' } }
}

/** Sends raw bytes, and returns the response when the server has closed the connection. */
async function raw ({ address }: Target, ...pieces: Array<string | Buffer>): Promise<string> {
  const socket = connect(address.port, address.host)
  let answer = ''
  socket.on('error', () => {}).on('data', (chunk) => { answer += chunk.toString('latin1') })
  const closed = new Promise<void>((resolve) => { socket.once('close', () => { resolve() }) })
  for (const piece of pieces) {
    // Like an HTTP client, stop sending when the response arrives
    if (socket.destroyed || answer !== '') break
    if (!socket.write(piece)) await Promise.race([new Promise((resolve) => { socket.once('drain', resolve) }), closed])
  }
  await closed
  return answer
}

const statusesOf = (answer: string): string[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => String(status))
const contentDisposition =
  /^content-disposition: attachment; filename="([^"]+)"(?:; filename\*=UTF-8''([\w%.-]+))?\r?$/m
const headersOf = (user: string): string => `Host: x\r\nAuthorization: ${user}\r\n`

async function create ({ app }: Target, payload: object = {}): Promise<Backup> {
  const answer = await app.inject({ method: 'POST', url: base, payload, headers: { authorization: 'admin' } })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<Backup>()
}

t.test('unauthorized callers get the same response for an existing id as for any other', async (t) => {
  const service = await useService(t)
  const { id } = await create(service)
  const ids = [id, randomUUID(), 'no-id', '..%2f..%2fetc%2fpasswd', '__proto__']
  const routes = [
    ['GET', ''], ['HEAD', ''], ['GET', '/download'], ['HEAD', '/download'], ['PATCH', ''], ['DELETE', ''],
    ['POST', '/restore'], ['POST', '/plan'], ['POST', '/verify'], ['OPTIONS', ''], ['PUT', ''], ['GET', '/nothing']
  ] as const
  const forReaders = new Set(['DELETE ', 'POST /restore'])

  async function answersTo (method: typeof routes[number][0], path: string, user?: string): Promise<string[]> {
    const answers = await Promise.all(ids.map(async (id) => {
      const { statusCode, body, headers } = await service.app.inject({
        method,
        url: `${base}/${id}${path}`,
        headers: { ...user !== undefined && { authorization: user }, range: 'bytes=0-3' },
        ...method === 'PATCH' && { payload: { pinned: false } }
      })
      const { date, ...others } = headers
      return JSON.stringify([statusCode, body, others])
    }))
    return [...new Set(answers)]
  }

  for (const [method, path] of routes) {
    for (const user of [undefined, 'unknown', 'Bearer admin']) {
      const answers = await answersTo(method, path, user)
      t.equal(answers.length, 1, answers.join('\n'))
      t.match(answers[0], /^\[401,/, `${method} ${path} as ${String(user)}`)
    }
    if (!forReaders.has(`${method} ${path}`)) continue
    const answers = await answersTo(method, path, 'reader')
    t.equal(answers.length, 1, answers.join('\n'))
    t.match(answers[0], /^\[403,/, `${method} ${path} as a reader`)
  }
  // Requests whose authorization depends on the body
  const unpins = await Promise.all([id, randomUUID()].map(async (id) =>
    (await service.app.inject({
      method: 'PATCH', url: `${base}/${id}`, payload: { pinned: false }, headers: { authorization: 'reader' }
    })).body))
  t.equal(unpins[0], unpins[1])
  const upload = await service.app.inject({
    method: 'POST',
    url: `${base}/import`,
    payload: '{}',
    headers: { authorization: 'reader', 'content-type': 'application/json' }
  })
  t.equal(upload.statusCode, 403)
  const { backups } = await service.app.backup.list()
  t.strictSame(backups.map((backup) => [backup.id, backup.status, backup.pinned]), [[id, 'completed', false]])
})

t.test('no id or file name leads out of the directory', async (t) => {
  const service = await useService(t)
  const { id } = await create(service)
  const secretPath = join(service.directory, '..', `${randomUUID()}.json`)
  await writeFile(secretPath, rowSecret)
  t.after(async () => { await rm(secretPath) })
  const name = secretPath.split(/[/\\]/).at(-1) ?? ''
  for (const path of [
    `../${name}`, `..%2f${name}`, `%2e%2e%2f${name}`, `..%5c${name}`, `%252e%252e%252f${name}`, `${id}%00`,
    `${id}/../../${name}`, '%ff', '%', 'x'.repeat(5000), `${id}%0d%0aX-Bad:1`
  ]) {
    for (const tail of ['', '/download', '/restore']) {
      const method = tail === '/restore' ? 'POST' : 'GET'
      const headers = `${headersOf('admin')}Content-Length: 0\r\nConnection: close\r\n`
      const answer = await raw(service, `${method} ${base}/${path}${tail} HTTP/1.1\r\n${headers}\r\n`)
      t.match(statusesOf(answer).join(), /^(?:400|404|414|431)$/, path)
      t.notMatch(answer, rowSecret)
      t.notMatch(answer, /^X-Bad/m)
    }
  }

  // File names in a manipulated log row
  for (const filename of [
    `../${name}`, secretPath, `..\\${name}`, '', '.', '..', `${name}\0`, 'CON', 'a\r\nX-Bad: 1.json'
  ].filter((filename) => !filename.includes('\0'))) {
    await service.sql`UPDATE backup_logs SET filename = ${filename} WHERE id = ${id}`
    for (const [method, tail] of [
      ['GET', '/download'], ['HEAD', '/download'], ['POST', '/verify'], ['POST', '/restore'], ['GET', '']
    ] as const) {
      const answer = await service.app.inject({
        method, url: `${base}/${id}${tail}`, headers: { authorization: 'admin' }
      })
      t.notMatch(answer.body, rowSecret, filename)
      t.equal(answer.headers['x-bad'], undefined)
      if (tail !== '') t.ok(answer.statusCode >= 400, `${method} ${tail} of ${filename}: ${answer.statusCode}`)
    }
  }
  await service.app.inject({ method: 'DELETE', url: `${base}/${id}`, headers: { authorization: 'admin' } })
  t.equal(await readFile(secretPath, 'utf8'), rowSecret, 'no file outside the directory was deleted')
})

t.test('no name of a schema leads out of the directory or injects a header', async (t) => {
  const service = await useService(t)
  for (const schema of [
    'a\r\nSet-Cookie: x=1', '../../up', '..', 'a"; filename="evil.sh', 'C:\\x', 'ü/ß', '.hidden', 'nul', '%0d%0a',
    '-rf', "'; DROP TABLE users; --", ' '
  ]) {
    await service.sql.unsafe(`CREATE SCHEMA "${schema.replaceAll('"', '""')}" CREATE TABLE t (one int)`)
    const { id, filename } = await create(service, { schema })
    t.match(filename, /^[A-Za-z0-9%_-][A-Za-z0-9%._-]*\.json$/, schema)
    t.ok((await readdir(service.directory)).includes(filename))
    const answer = await raw(
      service, `GET ${base}/${id}/download HTTP/1.1\r\n${headersOf('admin')}Connection: close\r\n\r\n`
    )
    const [head = ''] = answer.split('\r\n\r\n')
    t.strictSame(statusesOf(answer), ['200'], schema)
    const [, given, extended] = contentDisposition.exec(head) ?? []
    t.equal(given, filename, schema)
    if (extended !== undefined) t.equal(decodeURIComponent(extended), filename, schema)
    t.notMatch(head, /^(?:set-cookie|x-)/im, schema)
    const listed = await service.app.inject({
      url: `${base}?schema=${encodeURIComponent(schema)}`, headers: { authorization: 'admin' }
    })
    t.strictSame(listed.json().backups.map((backup: Backup) => [backup.id, backup.schema]), [[id, schema]])
  }
  t.equal((await service.sql`SELECT FROM users`).length, 2)
  await untilConsistent(service)
})

t.test('huge, ambiguous and endless requests are ended early and leave nothing', async (t) => {
  const service = await useService(t)
  const { id } = await create(service)
  const piece = Buffer.alloc(1024 * 1024, 'x')
  const pieces = isLong ? 500 : 50
  const endless = Array.from({ length: pieces }, () => [`${piece.length.toString(16)}\r\n`, piece, '\r\n']).flat()
  const before = process.memoryUsage.rss()
  let most = 0
  const watching = setInterval(() => { most = Math.max(most, process.memoryUsage.rss() - before) }, 5)

  const json = 'Content-Type: application/json\r\n'
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base} HTTP/1.1\r\n${headersOf('admin')}${json}Content-Length: ${piece.length * pieces}\r\n\r\n`,
      ...Array<Buffer>(pieces).fill(piece)
    )),
    ['413']
  )
  t.strictSame(
    statusesOf(await raw(
      service, `POST ${base} HTTP/1.1\r\n${headersOf('admin')}${json}Transfer-Encoding: chunked\r\n\r\n`, ...endless
    )),
    ['413']
  )
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base}/import HTTP/1.1\r\n${headersOf('admin')}${json}Transfer-Encoding: chunked\r\n\r\n`,
      ...endless
    )),
    ['422'],
    'a snapshot does not begin with an x'
  )
  t.match(
    statusesOf(await raw(
      service,
      `POST ${base}/import HTTP/1.1\r\n${headersOf('reader')}${json}Transfer-Encoding: chunked\r\n\r\n`,
      ...endless
    ))[0],
    '403',
    'the body of an unauthorized caller is not read'
  )

  // Two lengths, or a length and chunks: a proxy may see another end of the request than the service
  const smuggled = `GET ${base}/status HTTP/1.1\r\n${headersOf('admin')}\r\n`
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base} HTTP/1.1\r\n${headersOf('reader')}${json}Content-Length: 4\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`
    )),
    ['400']
  )
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base} HTTP/1.1\r\n${headersOf('reader')}${json}Content-Length: 2\r\n` +
        `Content-Length: 40\r\n\r\n{}${smuggled}`
    )),
    ['400']
  )
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base} HTTP/1.1\r\n${headersOf('reader')}${json}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`
    )),
    ['400']
  )
  t.strictSame(
    statusesOf(await raw(
      service, `GET ${base}/${id} HTTP/1.1\r\n${headersOf('admin')}X: ${'x'.repeat(100_000)}\r\n\r\n`
    )),
    ['431']
  )

  t.ok(most < 150e6, `${most / 1e6} MB more for ${pieces} MB each`)
  // A manifest is kept in memory, up to the limit of 16 MiB
  t.strictSame(
    statusesOf(await raw(
      service,
      `POST ${base}/import HTTP/1.1\r\n${headersOf('admin')}${json}Connection: close\r\n` +
        'Transfer-Encoding: chunked\r\n\r\n',
      '12\r\n{"manifest":{"a":"\r\n', ...endless, '0\r\n\r\n'
    )),
    ['413'],
    'a manifest without an end is limited, too'
  )
  clearInterval(watching)
  t.ok(most < 450e6, `${most / 1e6} MB more for ${pieces} MB each`)
  t.comment(`${(most / 1e6).toFixed()} MB at most`)
  t.strictSame((await service.app.backup.list()).backups.map((backup) => backup.id), [id])
  await untilConsistent(service)
})

t.test('no response, log line, log row or manifest contains row data, parameters or the password', async (t) => {
  const service = await useService(t)
  const { app, sql, directory } = service
  const responses: string[] = []
  async function call (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object
  ): Promise<{ status: number, body: string }> {
    const answer = await app.inject({
      method, url: `${base}${path}`, headers: { authorization: 'admin' }, ...payload !== undefined && { payload }
    })
    if (!path.endsWith('/download')) responses.push(answer.body)
    return { status: answer.statusCode, body: answer.body }
  }

  await sql`INSERT INTO users (name) VALUES (${rowSecret})`
  const { id } = await create(service)

  // Rows that violate the current schema
  await sql`DELETE FROM users WHERE name = ${rowSecret}`
  await sql`ALTER TABLE users ADD CONSTRAINT strict CHECK (length(name) < 5)`
  t.equal((await call('POST', `/${id}/restore`)).status, 422)
  await sql`ALTER TABLE users DROP CONSTRAINT strict, ADD COLUMN code int, ALTER COLUMN name TYPE varchar(3) USING 'x'`
  t.equal((await call('POST', `/${id}/restore`, { allowSchemaDrift: true })).status, 422)
  await sql`ALTER TABLE users ALTER COLUMN name TYPE text`
  await sql`CREATE UNIQUE INDEX same ON users (length(name)) WHERE length(name) > 3`
  await sql`ALTER TABLE users DROP COLUMN code`
  const createQuote = (using: string): string => `CREATE OR REPLACE FUNCTION quote(text) RETURNS int
    IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
      IF $1 LIKE 'row %' THEN RAISE EXCEPTION 'no: %', $1 USING ${using}; END IF;
      RETURN 1;
    END $$`
  await sql.unsafe(createQuote('DETAIL = $1'))
  await sql`CREATE INDEX quoting ON users (quote(name))`
  t.equal((await call('POST', `/${id}/restore`)).status, 422)
  await sql`DROP INDEX quoting`
  // Errors of PostgreSQL that quote a value, and errors of functions that use its error codes
  await sql`CREATE INDEX quoting ON users ((to_tsquery('simple', name)::text))`
  t.equal((await call('POST', `/${id}/restore`)).status, 422)
  for (const state of ['25006', '28000', '42501', '53100', '55000', '55P03', '58000']) {
    const create = createQuote(`ERRCODE = '${state}'`)
    await sql.unsafe(`DROP INDEX quoting; ${create}; CREATE INDEX quoting ON users (quote(name))`)
    t.equal((await call('POST', `/${id}/restore`)).status, state === '55P03' ? 409 : 422, state)
  }
  await sql`DROP INDEX quoting`

  // A modified file
  const { filename } = await app.backup.get(id)
  const path = join(directory, filename)
  const text = await readFile(path, 'utf8')
  for (const changed of [
    text.replace(rowSecret, `${rowSecret}x`), text.replace(`"${rowSecret}"`, `${rowSecret}`),
    text.slice(0, text.indexOf(rowSecret) + 5)
  ]) {
    await writeFile(path, changed)
    for (const tail of ['verify', 'restore', 'plan']) await call('POST', `/${id}/${tail}`)
    await app.inject({
      method: 'POST',
      url: `${base}/import`,
      payload: changed,
      headers: { authorization: 'admin', 'content-type': 'application/json' }
    }).then(({ body }) => responses.push(body))
  }
  await writeFile(path, text)

  // Parameters of statements that fail
  await sql`ALTER TABLE backup_logs ADD CONSTRAINT short CHECK (length(note) < 3) NOT VALID`
  t.ok((await call('POST', '', { note: noteSecret })).status >= 400)
  t.ok((await call('PATCH', `/${id}`, { note: noteSecret })).status >= 400)
  await sql`ALTER TABLE backup_logs DROP CONSTRAINT short`

  // A storage that fails, and a database that is not available
  await sql`ALTER TABLE users RENAME TO people`
  await call('POST', `/${id}/restore`)
  await sql`ALTER TABLE people RENAME TO users`
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`
  for (let tries = 0; tries < 3; tries++) await call('POST', '', {})
  await mkdir(`${directory}/x`)
  for (const path of ['', '/status', `/${id}`, '?before=x']) await call('GET', path)
  const made = JSON.parse((await call('POST', '', {})).body) as Backup
  const { manifest } = JSON.parse(await readFile(join(directory, made.filename), 'utf8')) as { manifest: object }

  const rows = await sql`SELECT id, status, error, restore FROM backup_logs`
  for (const [name, text] of Object.entries({
    answers: responses.join('\n'), log: service.output(), rows: JSON.stringify(rows), manifest: JSON.stringify(manifest)
  })) {
    t.ok(text.length > 100, name)
    for (const secret of [rowSecret, noteSecret, password]) {
      const at = text.indexOf(secret)
      t.equal(at, -1, `${name}: ${text.slice(Math.max(0, at - 300), at + 50)}`)
    }
  }
  t.notMatch(JSON.stringify(manifest), /caller_|127\.0\.0\.1|localhost/, 'nor the role or the host of the connection')
})
