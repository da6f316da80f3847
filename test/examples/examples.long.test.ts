import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Backup } from '../../types/index.ts'
import { useDatabase, type TestDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { projectRoot } from '../support/project-root.js'
import { startExample, type RunningExample } from './start-example.ts'

/** An example in an empty directory, on a database with one table of two rows. */
async function start (t: Test, name: string): Promise<TestDatabase & { example: RunningExample, directory: string }> {
  const database = await useDatabase(t, { schema: 'public' })
  await database.sql`CREATE TABLE users AS SELECT i AS id, 'user ' || i AS name FROM generate_series(1, 2) i`
  const directory = await useDirectory(t)
  return {
    ...database, directory, example: startExample(t, name, { cwd: directory, env: { DATABASE_URL: database.url } })
  }
}

t.test('all examples are tested here', async (t) => {
  const files = readdirSync(new URL('examples/', projectRoot)).filter((file) => file.endsWith('.js'))
  t.same(files.sort(), ['auth.js', 'demo.js', 'own-sql.js', 'schedule.js', 'script.js', 'tenants.js', 'url.js'])
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
