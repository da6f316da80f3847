import { Readable } from 'node:stream'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type FastifyRequest, type InjectOptions } from 'fastify'
import t from 'tap'
import backup from '../../lib/index.ts'
import type { Backup, BackupOptions } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, useEngine, usePlace } from '../support/engine.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createGate, storageBehind } from '../support/storage-double.ts'

const unknownId = '00000000-0000-4000-8000-000000000000'
const base = '/admin/backup'

/** A database with two tenants, and a backup of each. */
async function useTenants (t: Parameters<typeof usePlace>[0]): Promise<{ place: Place, a: Backup, b: Backup }> {
  const place = await usePlace(t)
  await createShop(place, 'tenant_a')
  await createShop(place, 'tenant_b')
  const owner = useEngine(t, place)
  const a = await owner.create({ schema: 'tenant_a' })
  return { place, a, b: await owner.create({ schema: 'tenant_b' }) }
}

async function buildApp (
  t: Parameters<typeof usePlace>[0], { url, directory }: Place, schemas: BackupOptions['schemas']
): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(async () => { await app.close() })
  const pass = async (): Promise<void> => {}
  await app.register(backup, {
    enabled: true,
    connection: url,
    schema: 'tenant_a',
    logSchema: testSchema,
    ...schemas !== undefined && { schemas },
    auth: [pass],
    allowRestore: true,
    storagePath: directory,
    worker: false
  })
  return app
}

const ofTenant = (name: string, request?: FastifyRequest): boolean => request?.headers.tenant === name

/** Requests to all routes of one backup. */
const requestsOf = (id: string): InjectOptions[] => [
  { url: `${base}/${id}` },
  { url: `${base}/${id}/download` },
  { url: `${base}/${id}/download`, headers: { range: 'bytes=0-9' } },
  { method: 'HEAD', url: `${base}/${id}/download` },
  { method: 'PATCH', url: `${base}/${id}`, payload: { note: 'mine' } },
  { method: 'PATCH', url: `${base}/${id}`, payload: { pinned: false } },
  { method: 'POST', url: `${base}/${id}/verify` },
  { method: 'POST', url: `${base}/${id}/plan` },
  { method: 'POST', url: `${base}/${id}/plan`, payload: { schema: 'tenant_a' } },
  { method: 'POST', url: `${base}/${id}/restore` },
  { method: 'POST', url: `${base}/${id}/restore`, payload: { schema: 'tenant_a' } },
  { method: 'POST', url: `${base}/${id}/restore`, payload: { schema: 'tenant_b' } },
  { method: 'DELETE', url: `${base}/${id}` }
]

t.test('responses for a backup of a forbidden schema are the same as for an unknown backup', async (t) => {
  const { place, b } = await useTenants(t)
  const owner = useEngine(t, place)
  const bounds: Array<BackupOptions['schemas']> = [['tenant_a'], ofTenant, (name) => {
    if (name === 'tenant_b') throw new TypeError('hunter2')
    return true
  }]
  for (const schemas of bounds) {
    const app = await buildApp(t, place, schemas)
    for (const [index, forbidden] of requestsOf(b.id).entries()) {
      const answers = await Promise.all([forbidden, requestsOf(unknownId)[index] ?? {}].map(async (request) => {
        const { statusCode, headers: { date, ...headers }, body } = await app.inject({
          ...request, headers: { ...request.headers, tenant: 'tenant_a' }
        })
        return { statusCode, headers, body: body.replaceAll(b.id, unknownId) }
      }))
      t.strictSame(
        answers[0],
        answers[1],
        `${forbidden.method ?? 'GET'} ${String(forbidden.url)} ${JSON.stringify(forbidden.payload ?? {})}`
      )
    }
    await app.close()
  }
  t.strictSame(await owner.get(b.id), b, 'the backup is unchanged')
})

t.test('the schemas that a caller may name depend on the request', async (t) => {
  const { place, a, b } = await useTenants(t)
  const app = await buildApp(t, place, ofTenant)
  for (const [tenant, own, other] of [['tenant_a', a, b], ['tenant_b', b, a]] as const) {
    const headers = { tenant }
    t.equal((await app.inject({ url: `${base}/${own.id}`, headers })).statusCode, 200)
    t.equal((await app.inject({ url: `${base}/${other.id}`, headers })).statusCode, 404)
    t.strictSame((await app.inject({ url: base, headers })).json().backups.map(({ id }: Backup) => id), [own.id])
    const status = (await app.inject({ url: `${base}/status`, headers })).json()
    t.strictSame([status.newest.map(({ id }: Backup) => id), status.bytesHeld], [[own.id], own.sizeBytes])
    t.equal(
      (await app.inject({ method: 'POST', url: base, headers, payload: { schema: other.schema } })).statusCode, 403
    )
    const target = await app.inject({
      method: 'POST', url: `${base}/${own.id}/restore`, headers, payload: { schema: other.schema }
    })
    t.match(target.json(), { statusCode: 403, code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED' }, 'as the target of a restore')
    const payload = await readFile(join(place.directory, other.filename))
    const imported = await app.inject({
      method: 'POST', url: `${base}/import`, headers: { tenant, 'content-type': 'application/json' }, payload
    })
    t.equal(imported.statusCode, 403)
    t.equal((await app.inject({ method: 'POST', url: `${base}/${own.id}/restore`, headers })).statusCode, 200)
  }
  await t.rejects(app.backup.get(a.id), { code: 'FST_BACKUP_NOT_FOUND' }, 'a call by code has no request')
})

t.test('a list of schemas restricts every call by code', async (t) => {
  const { place, a, b } = await useTenants(t)
  const engine = useEngine(t, place, { schemas: ['tenant_a'], schema: 'tenant_a', logSchema: testSchema })
  const missing = { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404, message: `There is no backup ${b.id}` }
  await t.rejects(engine.get(b.id), missing)
  await t.rejects(engine.download(b.id), missing)
  await t.rejects(engine.verify(b.id), missing)
  await t.rejects(engine.plan(b.id), missing)
  await t.rejects(engine.plan(b.id, { schema: 'tenant_a' }), missing)
  await t.rejects(engine.restore(b.id, { schema: 'tenant_a' }), missing)
  await t.rejects(engine.update(b.id, { pinned: true }), missing)
  await t.rejects(engine.remove(b.id), missing)
  await t.rejects(engine.restore(a.id, { schema: 'tenant_b' }), { code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED' })
  const stream = Readable.from([await readFile(join(place.directory, b.filename))])
  await t.rejects(engine.import(stream), { code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED' })
  t.strictSame((await engine.list({ schema: 'tenant_b' })).backups, [])
  t.strictSame(await useEngine(t, place).get(b.id), b)
})

t.test('pages are full although the caller may not see some backups', async (t) => {
  const { place } = await useTenants(t)
  await place.sql`DELETE FROM backup_logs`
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    SELECT gen_random_uuid(), CASE WHEN i % 5 = 0 THEN 'tenant_a' ELSE 'tenant_b' END, i::text, 'failed', 'manual',
      timestamptz '2026-11-22Z' + i * interval '1 s'
    FROM generate_series(0, 49) AS i`
  const engine = useEngine(t, place, { schemas: ['tenant_a'], schema: 'tenant_a', logSchema: testSchema })
  const sizes: number[] = []
  const names = new Set<string>()
  let before: string | null = null
  do {
    const page = await engine.list({ limit: 4, ...before !== null && { before } })
    sizes.push(page.backups.length)
    for (const { schema } of page.backups) names.add(schema)
    before = page.next
  } while (before !== null)
  t.strictSame([sizes, [...names]], [[4, 4, 2], ['tenant_a']])
})

t.test('the status contains only schemas that the caller may see', async (t) => {
  const { place, a } = await useTenants(t)
  const gate = createGate()
  const other = useEngine(t, place, {
    storage: storageBehind(place.directory, gate)
  })
  const engine = useEngine(t, place, {
    schemas: (name) => name === 'tenant_a', schema: 'tenant_a', logSchema: testSchema
  })
  const { finished } = await other.beginCreate({ schema: 'tenant_b' })
  await gate.reached
  t.equal((await other.status()).running.length, 1)
  const { running, bytesHeld } = await engine.status()
  t.strictSame({ running, bytesHeld }, { running: [], bytesHeld: a.sizeBytes })
  gate.open()
  await finished
  await place.sql`UPDATE backup_logs SET status = 'failed' WHERE schema = 'tenant_b'`
  t.strictSame([(await other.status()).healthy, (await engine.status()).healthy], [false, true])
  t.strictSame((await engine.status()).newest, [a])
})

t.test('the schedule and retention are not restricted', async (t) => {
  const { place } = await useTenants(t)
  const clock = createManualClock('2026-11-22T00:00:00.000Z')
  let finish = (): void => {}
  const completed = new Promise<void>((resolve) => { finish = resolve })
  const engine = useEngine(t, place, {
    schemas: () => false,
    logSchema: testSchema,
    schedule: { enabled: true, schemas: ['tenant_b'] }
  }, clock)
  await place.sql`UPDATE backup_logs SET trigger = 'scheduled', slot = timestamptz '2026-11-20Z'
    WHERE schema = 'tenant_b'`
  engine.on('backup:completed', finish)
  engine.start()
  await completed
  t.strictSame((await engine.list()).backups, [])
  const { backups } = await useEngine(t, place).list({ schema: 'tenant_b' })
  t.strictSame(backups.map(({ trigger }) => trigger), ['scheduled', 'scheduled'])
})
