import t from 'tap'
import { createBackupLog } from '../../lib/log/backup-log.ts'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
import type { Progress } from '../../types/index.ts'
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
  t.match(await tenant.get(id), { status: 'restored', restoredBy: 'ada@a', restore: { by: 'ada@a' } })
  await place.sql`DELETE FROM tenant_b.payroll`
  await admin.restore(id, { schema: 'tenant_b', actor: 'boss@b' })
  const absent = { tables: ['absent'], actor: 'ada@a' }
  await t.rejects(tenant.restore(id, absent), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  const seen = await tenant.get(id)
  t.match(seen, { status: 'restored', restoredBy: 'ada@a', restoredAt: seen.restores[1]?.finishedAt })
  t.strictSame(seen.restores.map(({ schema, status }) => [schema, status]),
    [['tenant_a', 'failed'], ['tenant_a', 'completed']])
  t.strictSame((await tenant.list({ status: 'restored' })).backups, [seen])
  const { restores, ...all } = await admin.get(id)
  t.match(all, { status: 'restored', restoredBy: 'boss@b' })
  t.strictSame(restores.map(({ schema, status, by, errorCode }) => [schema, status, by, errorCode]), [
    ['tenant_a', 'failed', 'ada@a', 'FST_BACKUP_ARGUMENT_INVALID'],
    ['tenant_b', 'completed', 'boss@b', null],
    ['tenant_b', 'failed', 'boss@b', 'FST_BACKUP_RESTORE_FAILED'],
    ['tenant_a', 'completed', 'ada@a', null]
  ])
  t.strictSame(all.restore, restores[0])
  await admin.remove(String((await admin.list({ schema: 'tenant_b' })).backups[0]?.id))
  await place.sql`DELETE FROM backup_logs WHERE schema = 'tenant_b'`
  const restored = (await admin.list({ status: 'restored' })).backups.map((backup) => backup.id)
  t.strictSame(restored, [id], 'even if the log has no other row of that schema')
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
  await place.sql`UPDATE backup_logs SET
    restores = jsonb_set(restores, '{0,progress}', '{"phase": "snapshot", "table": "payroll"}') WHERE id = ${before.id}`
  t.match((await admin.get(before.id)).progress, { table: 'payroll' })
  t.strictSame((await tenant.status()).running, [])
  t.strictSame(await tenant.get(before.id), before)
  publishing.open()
  await finished
})

t.test('two restores of one snapshot at the same time have a record, progress and events of their own', async (t) => {
  const place = await useTenants(t)
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const admin = useEngine(t, place, { ...tenants, storage })
  const { id } = await admin.create()
  const { finished } = await admin.beginRestore(id, { actor: 'ada@a' })
  await publishing.reached
  const replica = useEngine(t, place, tenants)
  await t.rejects(replica.restore(id, { schema: 'tenant_b', actor: 'boss@b' }), { code: 'FST_BACKUP_RESTORE_FAILED' })
  const ofBoth = async (): Promise<unknown[]> => (await replica.get(id)).restores.map((record) =>
    [record.schema, record.status, record.by, record.errorCode, record.preRestoreId !== null, 'progress' in record])
  const failed = ['tenant_b', 'failed', 'boss@b', 'FST_BACKUP_RESTORE_FAILED', true, false]
  const log = createBackupLog(place.sql, testSchema, () => new Date())
  const [, running] = (await replica.get(id)).restores
  const key = { id, target: 'tenant_a', startedAt: new Date(running?.startedAt ?? '') }
  await log.setRestoreProgress(key, { table: "it's $1" } as Progress)
  t.strictSame(await ofBoth(), [failed, ['tenant_a', 'running', 'ada@a', null, false, true]])
  t.match((await replica.get(id)).progress, { table: "it's $1" })
  t.strictSame((await replica.status()).running.map((backup) => backup.id).includes(id), true)
  await t.rejects(replica.remove(id), { code: 'FST_BACKUP_BUSY' }, 'although the newest restore has ended')

  publishing.open()
  const { preRestoreId } = await finished
  await log.setRestoreProgress(key, { table: 'late' } as Progress)
  t.strictSame(await ofBoth(), [failed, ['tenant_a', 'completed', 'ada@a', null, true, false]])
  t.equal((await replica.get(id)).restores[1]?.preRestoreId, preRestoreId)
  const [{ events } = {}] = await place.sql`SELECT events FROM ${place.sql(testSchema)}.backup_logs WHERE id = ${id}`
  t.strictSame(events.map(({ name, schema = 'tenant_a' }: { name: string, schema?: string }) => [name, schema]), [
    ['backup:started', 'tenant_a'], ['backup:completed', 'tenant_a'], ['restore:started', 'tenant_a'],
    ['restore:started', 'tenant_b'], ['restore:failed', 'tenant_b'], ['restore:completed', 'tenant_a']
  ])
})

t.test('the newest 20 restores are kept, and all that are running', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await engine.restore(id)
  const [record] = (await engine.get(id)).restores
  const former = Array.from({ length: 25 }, (_, place) => ({
    ...record, schema: `former ${place}`, status: place === 22 ? 'running' : 'completed'
  }))
  await place.sql`UPDATE backup_logs SET restores = ${place.sql.json(former as never)} WHERE id = ${id}`
  const { preRestoreId } = await engine.restore(id)
  const { restores } = await engine.get(id)
  const kept = [...former.slice(0, 19), former[22]].map((restore) => restore?.schema)
  t.strictSame(restores.map(({ schema }) => schema), [testSchema, ...kept])
  t.match(restores[0], { status: 'completed', preRestoreId })
})
