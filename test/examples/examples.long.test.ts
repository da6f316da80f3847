import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { Backup } from '../../types/index.ts'
import { useDatabase, type TestDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { projectRoot } from '../support/project-root.js'
import { startExample, type RunningExample } from './start-example.ts'

/** An example in an empty directory, on a database with one table of two rows. */
async function start (
  t: Test, name: string, env: NodeJS.ProcessEnv = {}
): Promise<TestDatabase & { example: RunningExample, directory: string }> {
  const database = await useDatabase(t, { schema: 'public' })
  await database.sql`CREATE TABLE users AS SELECT i AS id, 'user ' || i AS name FROM generate_series(1, 2) i`
  const directory = await useDirectory(t)
  return {
    ...database,
    directory,
    example: startExample(t, name, {
      cwd: directory, env: { DATABASE_URL: database.url, ...env }
    })
  }
}

t.test('all examples are tested here', async (t) => {
  const files = readdirSync(new URL('examples/', projectRoot)).filter((file) => file.endsWith('.js'))
  t.same(files.sort(), [
    'auth.js', 'demo.js', 'notify.js', 'own-sql.js', 'prometheus.js', 'schedule.js', 'script.js', 'tenants.js',
    'tracing.js', 'under-pressure.js', 'url.js'
  ])
})

t.test('an example without DATABASE_URL reports that it is missing', async (t) => {
  const example = startExample(t, 'url.js', { cwd: await useDirectory(t), env: { DATABASE_URL: '' } })
  t.equal(await example.ended, 1)
  t.match(example.output(), 'Set DATABASE_URL')
})

t.test('url.js keeps running, and its printed commands work', async (t) => {
  const { example, directory } = await start(t, 'url.js')
  await example.prints('/status\n')
  const [, token = '', url = ''] = /Bearer ([\w-]+)" -X POST (http\S+)\n/.exec(example.output()) ?? []

  t.equal((await fetch(url, { method: 'POST' })).status, 401)
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(url, { method: 'POST', headers })
  t.equal(response.status, 201)
  const backup = await response.json() as Backup
  t.match(backup, { status: 'completed', tableCount: 1, rowCount: 2 })
  t.ok(existsSync(join(directory, 'backups', backup.filename)))
  t.equal((await fetch(`${url}/${backup.id}/restore`, { method: 'POST', headers })).status, 403)
  t.match(await (await fetch(`${url}/status`, { headers })).json(), { healthy: true })

  example.kill('SIGINT')
  t.equal(await example.ended, 0)
})

t.test('own-sql.js takes a snapshot by code', async (t) => {
  const { example } = await start(t, 'own-sql.js')
  t.equal(await example.ended, 0)
  const lines = [
    '^started .*',
    'completed .*: 1 tables, 2 rows, \\d+ bytes in \\d+ ms',
    'checksum +sha256:[0-9a-f]{64}',
    'manifest +\\{"manifest":.*…',
    'held .*\n$'
  ]
  t.match(example.output(), new RegExp(lines.join('\n')))
})

t.test('schedule.js keeps running and prints the time of the next backup', async (t) => {
  const { example } = await start(t, 'schedule.js')
  await example.prints('\n')
  t.match(
    example.output(), /^The newest snapshot: none yet\. The next backup: \d{4}-\d\d-\d\dT(00|06|12|18):00:00\.000Z\n$/
  )
  example.kill('SIGTERM')
  t.equal(await example.ended, 0)
})

t.test('script.js takes a snapshot without Fastify, and ends', async (t) => {
  const { example, directory } = await start(t, 'script.js')
  t.equal(await example.ended, 0)
  const [, filename = ''] = /^(public_\S+\.json): 1 tables, 2 rows\n$/.exec(example.output()) ?? []
  t.ok(existsSync(join(directory, 'backups', filename)))
})

t.test('tenants.js restores one tenant into another and removes its schemas', async (t) => {
  const { example, sql } = await start(t, 'tenants.js')
  t.equal(await example.ended, 0)
  const output = example.output()
  const lines = [
    '^snapshot of example_tenant_acme: 3 rows',
    'refused: .*example_backups.*',
    'plan for example_tenant_zebra: invoices 5 → 3',
    'restored 3 rows;'
  ]
  t.match(output, new RegExp(lines.join('\n')))
  t.equal(output.match(/example_tenant_acme no\. /g)?.length, 3)
  t.same(await sql`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'example%'`, [])
})

t.test('auth.js shows which roles may do what and removes its schemas', async (t) => {
  const { example, sql } = await start(t, 'auth.js')
  t.equal(await example.ended, 0)
  t.equal(example.output(), [
    'create by nobody: 401 Log in first',
    'create by clerk: 403 This needs the role admin',
    'create by admin: 201 1 row',
    'restore by admin: 403 This needs the role owner',
    'restore by owner: 200 1 row',
    'created by Ada, restored by Olga',
    ''
  ].join('\n'))
  t.same(await sql`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'example%'`, [])
})

t.test('tracing.js prints a span of each run, with its parent', async (t) => {
  const { example } = await start(t, 'tracing.js')
  t.equal(await example.ended, 0)
  const lines = [
    '^prune \\(in create\\) of public, manual, \\d+ ms: {"removedCount":0}',
    'create \\(in none\\) of public, manual, \\d+ ms: {"tableCount":1,"rowCount":2,"sizeBytes":\\d+}',
    'verify \\(in none\\) of public, manual, \\d+ ms: {"problemCount":0}\n$'
  ]
  t.match(example.output(), new RegExp(lines.join('\n')))
})

t.test('prometheus.js serves the metrics of its backup', async (t) => {
  const { example } = await start(t, 'prometheus.js')
  await example.prints('/metrics\n')
  const response = await fetch(/curl (\S+)/.exec(example.output())?.[1] ?? '')
  t.match(response.headers.get('content-type'), 'text/plain')
  const text = await response.text()
  t.match(text, /^fastify_backup_up 1$/m)
  t.match(text, /^fastify_backup_last_rows{schema="public"} 2$/m)
  example.kill('SIGTERM')
  t.equal(await example.ended, 0)
})

t.test('under-pressure.js reports the health of the backups', async (t) => {
  const { example, sql } = await start(t, 'under-pressure.js')
  await example.prints('/status\n')
  const url = /curl (\S+)/.exec(example.output())?.[1] ?? ''
  const healthy = await fetch(url)
  t.equal(healthy.status, 200)
  t.strictSame(await healthy.json(), { status: 'ok' })
  await sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, finished_at, error)
    VALUES (gen_random_uuid(), 'public', 'a', 'failed', 'manual', now(), now(), 'x')`
  t.equal((await fetch(url)).status, 503)
  example.kill('SIGTERM')
  t.equal(await example.ended, 0)
})

/** A server that records its requests, and answers with this status. */
async function useRecorder (t: Test, status: number): Promise<{ url: string, requests: string[] }> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    requests.push(`${request.url} ${await text(request)}`)
    response.statusCode = status
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => { server.closeAllConnections(); server.close() })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : ''}`, requests }
}

t.test('notify.js pings at the start and the end of a backup', async (t) => {
  const { url, requests } = await useRecorder(t, 200)
  const { example } = await start(t, 'notify.js', { PING_URL: `${url}/ping`, WEBHOOK_URL: `${url}/hook` })
  t.equal(await example.ended, 0)
  t.match(example.output(), /^completed public_.*\.json\n$/)
  t.strictSame(requests.map((request) => request.replace(/rid=[0-9a-f-]{36} /, 'rid')).sort(),
    ['/ping/start?rid', '/ping?rid'])
})

t.test('notify.js reports a failed backup, and a receiver that fails does not disturb the run', async (t) => {
  const { url, requests } = await useRecorder(t, 500)
  const { example, directory } = await start(t, 'notify.js', { PING_URL: `${url}/ping`, WEBHOOK_URL: `${url}/hook` })
  writeFileSync(join(directory, 'backups'), '')
  t.equal(await example.ended, 1)
  t.match(example.output(), 'FST_BACKUP_STORAGE_FAILED')
  const hook = requests.find((request) => request.startsWith('/hook')) ?? ''
  t.match(hook, /^\/hook {"text":"The backup of public failed: /)
  t.ok(requests.some((request) => request.startsWith('/ping/fail?rid=')))
})
