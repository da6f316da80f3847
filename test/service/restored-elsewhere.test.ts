import t from 'tap'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { storageHoldingSecond } from '../support/storage-double.ts'

const tenants = { schemas: ['tenant_a', 'tenant_b'], schema: 'tenant_a', logSchema: testSchema }
const ofA = (engine: TestEngine): BackupCalls => engine.forCaller((schema) => schema === 'tenant_a')

/** Two tenants; a restore of the first's snapshot into the second fails, as long as there is a row of `payroll`. */
async function useTenants (t: Parameters<typeof usePlace>[0]): Promise<Place> {
  const place = await usePlace(t)
  await createShop(place, 'tenant_a')
  await createShop(place, 'tenant_b')
  await place.sql.unsafe("INSERT INTO tenant_b.users VALUES (7, 'Eve'); CREATE TABLE tenant_b.payroll (id bigint REFERENCES tenant_b.users); INSERT INTO tenant_b.payroll VALUES (7)")
  return place
}

t.test('what a restore into the schema of another did is not told to those who may not name it', async (t) => {
  const place = await useTenants(t)
  const admin = useEngine(t, place, tenants)
  const tenant = ofA(admin)
  const { id } = await admin.create()
  const before = await tenant.get(id)
  await t.rejects(admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' }), { code: 'FST_BACKUP_RESTORE_FAILED' })
  t.match(await admin.get(id), { restore: { status: 'failed', by: 'boss@b', error: /payroll/ } })
  t.strictSame(await tenant.get(id), before)
  await place.sql`DELETE FROM tenant_b.payroll`
  await admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' })
  t.match(await admin.get(id), { status: 'restored', restoredBy: 'boss@b', restore: { status: 'completed', by: 'boss@b' } })
  t.strictSame(await tenant.get(id), before)
  t.strictSame((await tenant.list()).backups, [before])
  t.strictSame((await tenant.list({ status: 'restored' })).backups, [])
  t.strictSame((await tenant.list({ status: 'completed' })).backups, [before])
  t.strictSame((await admin.list({ status: 'restored' })).backups.map((backup) => backup.id), [id])
  t.strictSame((await tenant.status()).newest, [before])
  t.match(await tenant.update(id, { note: 'mine' }), { status: 'completed', restore: null })
})

t.test('each of them sees the newest restore into a schema of his own, also when another followed that failed', async (t) => {
  const place = await useTenants(t)
  const admin = useEngine(t, place, tenants)
  const tenant = ofA(admin)
  const { id } = await admin.create()
  await admin.restore(id, { actor: 'ada@a' })
  await t.rejects(admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' }))
  t.match(await tenant.get(id), { status: 'restored', restoredBy: 'ada@a', restore: null })
  await place.sql`DELETE FROM tenant_b.payroll`
  await admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' })
  await t.rejects(tenant.restore(id, { tables: ['absent'], actor: 'ada@a' }))
  t.match(await tenant.get(id), { status: 'completed', restoredBy: null, restoredAt: null })
  t.match(await admin.get(id), { status: 'restored', restoredBy: 'boss@b' })
  await admin.remove(String((await admin.list({ schema: 'tenant_b' })).backups[0]?.id))
  await place.sql`DELETE FROM backup_logs WHERE schema = 'tenant_b'`
  t.strictSame((await admin.list({ status: 'restored' })).backups.map((backup) => backup.id), [id], 'also when the log has no other row of that schema')
})

t.test('a log of a release that did not keep it tells what is certain', async (t) => {
  const place = await useTenants(t)
  const admin = useEngine(t, place, tenants)
  const { id } = await admin.create()
  await admin.restore(id, { actor: 'ada@a' })
  await place.sql`UPDATE backup_logs SET restore = restore - 'restoredInto'`
  t.match(await ofA(admin).get(id), { status: 'restored', restoredBy: 'ada@a', restore: { status: 'completed' } })
  await t.rejects(admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' }))
  t.match(await ofA(admin).get(id), { status: 'restored', restoredBy: 'ada@a', restore: null })
})

t.test('one that is under way is not told either', async (t) => {
  const place = await useTenants(t)
  await place.sql`DELETE FROM tenant_b.payroll`
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const admin = useEngine(t, place, { ...tenants, storage })
  const tenant = ofA(admin)
  const before = await admin.create()
  const { finished } = await admin.beginRestore(before.id, { schema: 'tenant_b' })
  await publishing.reached
  t.match((await admin.status()).running.map(({ schema }) => schema).sort(), ['tenant_a', 'tenant_b'])
  await place.sql`UPDATE backup_logs SET progress = '{"phase": "snapshot", "table": "payroll"}' WHERE id = ${before.id}`
  t.strictSame((await tenant.status()).running, [])
  t.strictSame(await tenant.get(before.id), before)
  publishing.open()
  await finished
})
