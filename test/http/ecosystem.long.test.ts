import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer, json } from 'node:stream/consumers'
import { brotliCompressSync } from 'node:zlib'
import type { Sql } from 'postgres'
import t, { type Test } from 'tap'
import type { Backup, Manifest, RestoreResult } from '../../types/index.ts'
import { useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { until } from '../support/until.ts'
import { followEvents } from './follow-events.ts'
import { pageOrigin, type RunningService, startService } from './start-service.ts'

// The service of examples/service: this library in the company of the plugins that many services have

t.setTimeout(300_000)

const jsonType = { 'content-type': 'application/json' }

/** More rows than the bodyLimit of the service. */
async function createOrders (sql: Sql): Promise<void> {
  await sql`CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text)`
  await sql`INSERT INTO orders SELECT i, i * 1.10, repeat('x', 1000) FROM generate_series(1, 3000) i`
}

const contentOf = async (sql: Sql): Promise<unknown> =>
  (await sql`SELECT count(*)::int, sum(total), min(note) FROM orders`)[0]

interface Span { name: string, attributes: Array<{ key: string, value: { stringValue?: string, intValue?: number } }> }

/** What an OpenTelemetry collector receives: the requests of the spans, as `method route status`. */
async function useCollector (t: Test): Promise<{ url: string, requests: () => Set<string> }> {
  const spans: Span[] = []
  const server = createServer((request, response) => {
    json(request).then((body) => {
      const { resourceSpans } = body as { resourceSpans: Array<{ scopeSpans: Array<{ spans: Span[] }> }> }
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)))
      response.setHeader('content-type', 'application/json').end('{}')
    }, () => { response.writeHead(400).end() })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => { server.closeAllConnections(); server.close() })
  const valueOf = ({ attributes }: Span, name: string): unknown => {
    const { stringValue, intValue } = attributes.find(({ key }) => key === name)?.value ?? {}
    return stringValue ?? intValue
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => new Set(spans.filter(({ name }) => name === 'request').map((span) =>
      ['http.request.method', 'http.route', 'http.response.status_code'].map((name) => valueOf(span, name)).join(' ')))
  }
}

/** fetch() decodes bodies; this client does not. */
async function download (
  { origin }: RunningService, path: string, headers: Record<string, string>
): Promise<{ headers: IncomingHttpHeaders, body: Buffer }> {
  const options = { headers: { ...headers, 'accept-encoding': 'gzip, br' } }
  const sent = request(`${origin}/admin/backup${path}`, options).end()
  const [response] = await once(sent, 'response')
  return { headers: response.headers, body: await buffer(response) }
}

async function useService (t: Test) {
  const { url, sql } = await useDatabase(t, { schema: 'public' })
  await createOrders(sql)
  const directory = await useDirectory(t)
  const collector = await useCollector(t)
  const service = await startService(t, { url, directory, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } })
  return { url, sql, directory, collector, service }
}

t.test('a whole cycle over HTTP, while a stream of events is open', async (t) => {
  const { sql, directory, collector, service } = await useService(t)
  const { call } = service
  const { token, session } = await service.logIn('ada')
  const clerk = await service.logIn('carl')
  const stream = await followEvents(`${service.origin}/admin/backup/events`, {
    ...session, origin: pageOrigin, 'accept-encoding': 'gzip, br'
  })
  t.equal(stream.response.headers.get('content-encoding'), null)
  t.equal(stream.response.headers.get('access-control-allow-origin'), pageOrigin)

  // Who may do what
  for (const path of ['', '/status', '/events', '/no/such', '/import']) {
    t.equal((await call(path)).status, 401, `anonymous ${path}`)
    t.equal((await call(path, { headers: clerk.session })).status, 403, `session of a clerk ${path}`)
    t.equal((await call(path, { headers: clerk.token })).status, 403, `token of a clerk ${path}`)
  }
  t.equal((await call('', { headers: { ...clerk.token, ...session } })).status, 403, 'the token comes first')

  const created = await call('', { method: 'POST', headers: { ...token, ...jsonType }, body: '{"note":"before"}' })
  t.equal(created.status, 201)
  const made = await created.json() as Backup
  t.match(made, { status: 'completed', rowCount: 3000, createdBy: 'ada', note: 'before' })
  t.equal(created.headers.get('location'), `/admin/backup/${made.id}`)
  t.match(Object.fromEntries(created.headers), {
    'x-content-type-options': 'nosniff',
    'content-security-policy': /default-src 'self'/,
    'x-frame-options': 'SAMEORIGIN'
  }, 'the headers of helmet')
  const path = `/${made.id}`

  const listed = await call('?limit=1000', { headers: session })
  t.same(await listed.json(), { backups: [made], next: null })
  t.same(await (await call(path, { headers: session })).json(), made)
  const manifest = await (await call(`${path}/manifest`, { headers: session })).json() as Manifest
  t.match(manifest, { id: made.id, totalRows: 3000 })
  t.match(await (await call('/status', { headers: session })).json(), { healthy: true })

  const file = await readFile(join(directory, 'backups', made.filename))
  const whole = await download(service, `${path}/download`, session)
  t.ok(whole.body.equals(file), 'byte for byte')
  t.equal(whole.headers['content-length'], String(made.sizeBytes))
  t.equal(whole.headers['content-encoding'], undefined)
  const part = await download(service, `${path}/download`, { ...token, range: 'bytes=100-199' })
  t.ok(part.body.equals(file.subarray(100, 200)))
  const head = await call(`${path}/download`, { method: 'HEAD', headers: session })
  t.equal(head.headers.get('content-length'), String(made.sizeBytes))

  t.same(await (await call(`${path}/verify`, { method: 'POST', headers: token })).json(), { ok: true, problems: [] })
  const before = await contentOf(sql)
  await sql`DELETE FROM orders WHERE id > 10`
  const damaged = await contentOf(sql)
  const plan = await call(`${path}/plan`, { method: 'POST', headers: token })
  t.match(await plan.json(), { ok: true, tables: { 0: { name: 'orders', rowsNow: 10, rowsAfter: 3000 } } })
  const restored = await call(`${path}/restore`, { method: 'POST', headers: session })
  t.equal(restored.status, 200)
  const { preRestoreId, rowCount } = await restored.json() as RestoreResult
  t.equal(rowCount, 3000)
  t.same(await contentOf(sql), before)
  t.match(await (await call(path, { headers: token })).json(), { status: 'restored', restoredBy: 'ada' })
  await call(`/${preRestoreId}/restore`, { method: 'POST', headers: token })
  t.same(await contentOf(sql), damaged, 'what was replaced can be restored')
  await call(`${path}/restore`, { method: 'POST', headers: token })

  // A body that is far larger than the bodyLimit of the service
  const importHeaders = { ...token, ...jsonType }
  const imported = await call('/import', { method: 'POST', headers: importHeaders, body: new Uint8Array(file) })
  t.equal(imported.status, 201)
  const copy = await imported.json() as Backup
  t.match(copy, { trigger: 'import', checksum: made.checksum, sizeBytes: made.sizeBytes, origin: { id: made.id } })
  const encoded = await call('/import', {
    method: 'POST',
    headers: { ...importHeaders, 'content-encoding': 'br' },
    body: new Uint8Array(brotliCompressSync(file))
  })
  t.equal(encoded.status, 415)
  t.match(await encoded.json(), { code: 'FST_BACKUP_IMPORT_ENCODED' })

  const patch = async (change: object): Promise<unknown> => await (await call(path, {
    method: 'PATCH', headers: { ...session, ...jsonType }, body: JSON.stringify(change)
  })).json()
  t.match(await patch({ pinned: true, note: 'kept' }), { pinned: true, note: 'kept' })
  t.match(await patch({ pined: true }), { statusCode: 400 })
  t.equal((await call(`/${copy.id}`, { method: 'DELETE', headers: session })).status, 204)
  t.equal((await call(`/${copy.id}`, { headers: session })).status, 404)

  const long = await call('', { headers: { ...session, 'accept-encoding': 'gzip' } })
  t.equal(long.headers.get('content-encoding'), 'gzip', 'other responses are compressed')

  await stream.receives('backup:completed', copy.id)
  const events = stream.events().filter(({ name }) => !name.endsWith(':progress'))
  t.strictSame(events.map(({ name, data }) => [name, data.id]), [
    ['backup:started', made.id], ['backup:completed', made.id],
    ['restore:started', made.id], ['restore:completed', made.id],
    ['restore:started', preRestoreId], ['restore:completed', preRestoreId],
    ['restore:started', made.id], ['restore:completed', made.id],
    ['backup:started', copy.id], ['backup:completed', copy.id]
  ])
  t.ok(stream.events().some(({ name }) => name === 'restore:progress'))
  await until(() => stream.text().includes('\n: still here\n'))

  const closing = performance.now()
  service.kill('SIGTERM')
  t.equal(await service.ended, 0)
  await stream.ended
  t.ok(performance.now() - closing < 10_000)
  t.notMatch(service.output(), /"level":[56]0/, 'no error was logged')

  for (const expected of [
    'GET /admin/backup/events 200', 'GET /admin/backup 401', 'GET /admin/backup/status 403',
    'POST /admin/backup 201', 'GET /admin/backup 200', 'GET /admin/backup/:id 200',
    'GET /admin/backup/:id/manifest 200', 'GET /admin/backup/:id/download 200',
    'GET /admin/backup/:id/download 206', 'HEAD /admin/backup/:id/download 200',
    'POST /admin/backup/:id/verify 200', 'POST /admin/backup/:id/plan 200', 'POST /admin/backup/:id/restore 200',
    'POST /admin/backup/import 201', 'POST /admin/backup/import 415', 'PATCH /admin/backup/:id 200',
    'DELETE /admin/backup/:id 204'
  ]) t.ok(collector.requests().has(expected), `a span of ${expected}`)
})

t.test('pages of the allowed origin may write, and no others', async (t) => {
  const { service } = await useService(t)
  const { session, token } = await service.logIn('ada')
  const preflight = async (origin: string): Promise<Response> => await service.call('', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  })
  const allowed = await preflight(pageOrigin)
  t.equal(allowed.status, 204)
  t.match(Object.fromEntries(allowed.headers), {
    'access-control-allow-origin': pageOrigin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, POST, PATCH, DELETE'
  })
  t.equal((await preflight('https://evil.example')).headers.get('access-control-allow-origin'), null)

  const post = async (headers: Record<string, string>): Promise<number> =>
    (await service.call('', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site', ...headers } })).status
  t.equal(await post({ ...session, origin: pageOrigin }), 201)
  t.equal(await post({ ...session, origin: 'https://evil.example' }), 403)
  t.equal(await post({ ...token, origin: 'https://evil.example' }), 201, 'a page cannot know a token')
})

t.test('the rate limit counts refused calls, and ends no stream', async (t) => {
  const { service } = await useService(t)
  const { session } = await service.logIn('ada')
  const guess = { 'x-forwarded-for': '203.0.113.9' }
  const stream = await followEvents(`${service.origin}/admin/backup/events`, { ...session, ...guess })
  const statuses: number[] = []
  for (let count = 0; count < 200; count++) statuses.push((await service.call('', { headers: guess })).status)
  t.strictSame(statuses, [...Array.from({ length: 199 }, () => 401), 429])
  const refused = await service.call('', { headers: { ...session, ...guess } })
  t.equal(refused.status, 429)
  t.match(await refused.json(), { statusCode: 429, message: /Rate limit exceeded/ })
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  const { id } = await (await service.call('', { method: 'POST', headers: session })).json() as Backup
  await stream.receives('backup:completed', id)
})

t.test('a service under pressure refuses calls, and ends no stream', async (t) => {
  const { sql, service } = await useService(t)
  const { session } = await service.logIn('ada')
  const stream = await followEvents(`${service.origin}/admin/backup/events`, session)
  const statusOf = async (path: string): Promise<number> => (await service.call(path, { headers: session })).status
  // The health check of the service reads this table
  await sql`ALTER TABLE orders RENAME TO elsewhere`
  await until(async () => await statusOf('/status') === 503, { everyMs: 500 })
  const refused = await service.call('', { method: 'POST', headers: session })
  t.equal(refused.status, 503)
  t.match(await refused.json(), { statusCode: 503, code: 'FST_UNDER_PRESSURE' })
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  await sql`ALTER TABLE elsewhere RENAME TO orders`
  await until(async () => await statusOf('/status') === 200, { everyMs: 500 })
  const { id } = await (await service.call('', { method: 'POST', headers: session })).json() as Backup
  await stream.receives('backup:completed', id)
})

t.test('the OpenAPI document that swagger-ui serves has every route, and responses are checked', async (t) => {
  const { sql, service } = await useService(t)
  const { session } = await service.logIn('ada')
  t.equal((await fetch(`${service.origin}/docs/`)).status, 200)
  const document = await (await fetch(`${service.origin}/docs/json`)).json() as { paths: Record<string, object> }
  const operations = Object.entries(document.paths).filter(([path]) => path.startsWith('/admin/backup'))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
  t.strictSame(operations.sort(), [
    'delete /admin/backup/{id}', 'get /admin/backup', 'get /admin/backup/events', 'get /admin/backup/status',
    'get /admin/backup/{id}', 'get /admin/backup/{id}/download', 'get /admin/backup/{id}/manifest',
    'patch /admin/backup/{id}', 'post /admin/backup', 'post /admin/backup/import', 'post /admin/backup/{id}/plan',
    'post /admin/backup/{id}/restore', 'post /admin/backup/{id}/verify'
  ])

  const orders = async (): Promise<number> => (await fetch(`${service.origin}/orders`, { headers: session })).status
  t.equal(await orders(), 200)
  await sql`UPDATE orders SET total = NULL WHERE id = 1`
  t.equal(await orders(), 500, 'a response that its schema does not describe')
})
