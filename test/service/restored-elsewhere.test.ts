import t from 'tap'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { storageHoldingSecond } from '../support/storage-double.ts'

const tenants = { schemas: ['tenant_a', 'tenant_b'], schema: 'tenant_a', logSchema: testSchema }
const ofA = (engine: TestEngine): BackupCalls => engine.forCaller((schema) => schema === 'tenant_a')

/** Two tenants. A restore of the first one's snapshot into the second fails while `payroll` contains a row. */
async function useTenants (t: Parameters<typeof usePlace>[0]): Promise<Place> {
  const place = await usePlace(t)
  await createShop(place, 'tenant_a')
  await createShop(place, 'tenant_b')
  await place.sql.unsafe(`INSERT INTO tenant_b.users VALUES (7, 'Eve');
    CREATE TABLE tenant_b.payroll (id bigint REFERENCES tenant_b.users);
    INSERT INTO tenant_b.payroll VALUES (7)`)
  return place
}

t.test('a caller does not see restores into a schema that the caller may not use', async (t) => {
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
  t.match(await admin.get(id), {
    status: 'restored', restoredBy: 'boss@b', restore: { status: 'completed', by: 'boss@b' }
  })
  t.strictSame(await tenant.get(id), before)
  t.strictSame((await tenant.list()).backups, [before])
  t.strictSame((await tenant.list({ status: 'restored' })).backups, [])
  t.strictSame((await tenant.list({ status: 'completed' })).backups, [before])
  t.strictSame((await admin.list({ status: 'restored' })).backups.map((backup) => backup.id), [id])
  t.strictSame((await tenant.status()).newest, [before])
  t.match(await tenant.update(id, { note: 'mine' }), { status: 'completed', restore: null })
})

t.test('each caller sees the newest restore into an allowed schema, even if a failed one follows it', async (t) => {
  const place = await useTenants(t)
  const admin = useEngine(t, place, tenants)
  const tenant = ofA(admin)
  const { id } = await admin.create()
  await admin.restore(id, { actor: 'ada@a' })
  await t.rejects(admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' }), { code: 'FST_BACKUP_RESTORE_FAILED' })
  t.match(await tenant.get(id), { status: 'restored', restoredBy: 'ada@a', restore: null })
  await place.sql`DELETE FROM tenant_b.payroll`
  await admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' })
  const absent = { tables: ['absent'], actor: 'ada@a' }
  await t.rejects(tenant.restore(id, absent), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  t.match(await tenant.get(id), { status: 'completed', restoredBy: null, restoredAt: null })
  t.match(await admin.get(id), { status: 'restored', restoredBy: 'boss@b' })
  await admin.remove(String((await admin.list({ schema: 'tenant_b' })).backups[0]?.id))
  await place.sql`DELETE FROM backup_logs WHERE schema = 'tenant_b'`
  const restored = (await admin.list({ status: 'restored' })).backups.map((backup) => backup.id)
  t.strictSame(restored, [id], 'even if the log has no other row of that schema')
})

t.test('a log of an earlier release, which did not record the target schema, shows what is certain', async (t) => {
  const place = await useTenants(t)
  const admin = useEngine(t, place, tenants)
  const { id } = await admin.create()
  await admin.restore(id, { actor: 'ada@a' })
  await place.sql`UPDATE backup_logs SET restore = restore - 'restoredInto'`
  t.match(await ofA(admin).get(id), { status: 'restored', restoredBy: 'ada@a', restore: { status: 'completed' } })
  await t.rejects(admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' }), { code: 'FST_BACKUP_RESTORE_FAILED' })
  t.match(await ofA(admin).get(id), { status: 'restored', restoredBy: 'ada@a', restore: null })
})

t.test('a caller does not see a running restore into another schema', async (t) => {
  const place = await useTenants(t)
  await place.sql`DELETE FROM tenant_b.payroll`
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const admin = useEngine(t, place, { ...tenants, storage })
  const tenant = ofA(admin)
  const before = await admin.create()
  const { finished } = await admin.beginRestore(before.id, { schema: 'tenant_b' })
  await publishing.reached
  t.strictSame((await admin.status()).running.map(({ schema }) => schema).sort(), ['tenant_a', 'tenant_b'])
  await place.sql`UPDATE backup_logs SET progress = '{"phase": "snapshot", "table": "payroll"}' WHERE id = ${before.id}`
  t.strictSame((await tenant.status()).running, [])
  t.strictSame(await tenant.get(before.id), before)
  publishing.open()
  await finished
})
