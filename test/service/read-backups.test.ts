import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Backup, ListQuery } from '../../types/index.ts'
import { createShop, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageBehind, storageWith } from '../support/storage-double.ts'
import { testSchema } from '../support/database.ts'
import { matchEach } from '../support/match-each.ts'
import { until } from '../support/until.ts'

const unknownId = '00000000-0000-4000-8000-000000000000'

t.test('the list is in pages, by descending order of insertion, whatever the start times', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, ordinal)
    SELECT gen_random_uuid(), ${testSchema}, i::text, 'failed', 'manual',
      timestamptz '2026-11-22Z' - i * interval '1 h', i / 3
    FROM generate_series(0, 9) AS i`
  const all = (await engine.list()).backups
  t.equal(all.length, 10)
  const sortKeyOf = ({ filename, id }: Backup): string => `${Math.floor(Number(filename) / 3)} ${id}`
  const sorted = [...all].sort((a: Backup, b: Backup) => (sortKeyOf(a) < sortKeyOf(b) ? 1 : -1))
  t.strictSame(all, sorted)

  const seen: Backup[] = []
  let before: string | null = null
  do {
    const page = await engine.list({ limit: 2, ...before !== null && { before } })
    t.equal(page.backups.length, 2)
    seen.push(...page.backups)
    before = page.next
  } while (before !== null)
  t.strictSame(seen, all)
  t.strictSame((await engine.list({ limit: 10 })).next, null, 'a page that is exactly full is the last')
})

t.test('the list is filtered by schema, status and trigger', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  const first = await engine.create()
  const second = await engine.create({ schema: 'tenant' })
  const { preRestoreId } = await engine.restore(first.id)
  const ids = async (query: ListQuery): Promise<string[]> => (await engine.list(query)).backups.map(({ id }) => id)
  t.strictSame(await ids({ schema: 'tenant' }), [second.id])
  t.strictSame(await ids({ status: 'restored' }), [first.id])
  t.strictSame(await ids({ trigger: 'pre_restore' }), [preRestoreId])
  t.strictSame(await ids({ schema: 'tenant', status: 'restored' }), [])
  t.strictSame(await ids({ schema: 'nowhere' }), [])
})

t.test('the list is filtered by the start of the backups', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    SELECT gen_random_uuid(), ${testSchema}, i::text, 'failed', 'manual', timestamptz '2026-11-22Z' + i * interval '1 h'
    FROM generate_series(0, 5) AS i`
  const names = async (query: ListQuery): Promise<string> =>
    (await engine.list(query)).backups.map(({ filename }) => filename).join()
  t.equal(await names({ since: '2026-11-22T03:00:00Z' }), '5,4,3', 'since includes the instant')
  t.equal(await names({ since: '2026-11-22T03:00:00.001Z' }), '5,4')
  t.equal(await names({ until: '2026-11-22T03:00:00Z' }), '2,1,0', 'until excludes it')
  t.equal(await names({ since: '2026-11-22T03:00:00+02:00', until: '2026-11-22t03:00:00z' }), '2,1', 'any time zone')
  t.equal(await names({ since: '2026-11-23T00:00:00Z', until: '2026-11-21T00:00:00Z' }), '')
  t.equal(await names({ since: '0000-01-01T00:00:00Z', until: '9999-12-31T23:59:59-23:59' }), '5,4,3,2,1,0')

  const page = await engine.list({ since: '2026-11-22T01:00:00Z', until: '2026-11-22T05:00:00Z', limit: 3 })
  t.equal(await names({
    since: '2026-11-22T01:00:00Z', until: '2026-11-22T05:00:00Z', limit: 3, before: page.next ?? ''
  }), '1', 'the cursor continues within the bounds')
})

t.test('a time that is not an instant is refused', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const refused = {
    code: 'FST_BACKUP_ARGUMENT_INVALID',
    statusCode: 400,
    message: 'since must be an instant in ISO 8601 with a time zone, such as 2026-11-22T17:45:00Z'
  }
  for (const since of [
    '', '2026-11-22', '2026-11-22T17:45:00', '2026-11-22T17:45Z', '2026-02-30T00:00:00Z', '2016-12-31T23:59:60Z',
    'yesterday', '1795369500', '2026-11-22T17:45:00Z; DROP TABLE users'
  ]) await t.rejects(engine.list({ since }), refused, since)
})

t.test('a backup is not available when its file is gone or the storage does not answer', async (t) => {
  const place = await usePlace(t)
  let isDown = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async stat (storage, name) {
        if (isDown) throw new Error('down')
        return await storage.stat(name)
      }
    })
  })
  const backup = await engine.create()
  isDown = true
  t.strictSame(await engine.get(backup.id), { ...backup, available: false })
  await t.rejects(engine.download(backup.id), { code: 'FST_BACKUP_STORAGE_FAILED' }, 'not 410: the file may exist')
  isDown = false
  await rm(join(place.directory, backup.filename))
  t.strictSame(await engine.get(backup.id), { ...backup, available: false })
  t.strictSame((await engine.list()).backups.map(({ available }) => available), [false])
  t.strictSame((await engine.status()).newest.map(({ available }) => available), [false])
})

t.test('pin and note are changed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const backup = await engine.create({ note: 'first' })
  t.strictSame(await engine.update(backup.id, { pinned: true }), { ...backup, pinned: true })
  t.strictSame(await engine.update(backup.id, { note: 'second' }), { ...backup, pinned: true, note: 'second' })
  t.strictSame(await engine.update(backup.id, { pinned: false, note: null }), { ...backup, note: null })
  t.strictSame(await engine.update(backup.id, {}), { ...backup, note: null })
  await t.rejects(engine.update(unknownId, { pinned: true }), { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404 })
})

t.test('an unknown id is refused', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const missing = { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404, message: `There is no backup ${unknownId}` }
  await t.rejects(engine.get(unknownId), missing)
  await t.rejects(engine.download(unknownId), missing)
  await t.rejects(engine.plan(unknownId), missing)
  await t.rejects(engine.restore(unknownId), missing)
  await t.rejects(engine.remove(unknownId), missing)
})

t.test('the status reports running, newest and failed backups', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const gate = createGate()
  let isHeld = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        if (isHeld) await gate.pass()
        await storage.publish(spoolPath, name)
      }
    })
  })
  const can = { create: true, restore: true, import: true, remove: true }
  const healthy = {
    healthy: true, problems: [], allowRestore: true, can, nextRunAt: null, running: [], newestNext: null
  }
  t.strictSame(await engine.status(), { ...healthy, newest: [], newestGood: [], bytesHeld: 0 })
  const first = await engine.create()
  const second = await engine.create()
  const tenant = await engine.create({ schema: 'tenant' })
  t.strictSame(await engine.status(), {
    ...healthy,
    newest: [second, tenant],
    newestGood: [{ schema: testSchema, backup: second }, { schema: 'tenant', backup: tenant }],
    bytesHeld: (first.sizeBytes ?? 0) + (second.sizeBytes ?? 0) + (tenant.sizeBytes ?? 0)
  })

  isHeld = true
  const { backup, finished } = await engine.beginCreate()
  await gate.reached
  const newest = [second.id, tenant.id]
  const during = await engine.status()
  t.equal(during.healthy, true)
  matchEach(t, during.running, [{ id: backup.id, status: 'running' }])
  t.strictSame(during.newest.map(({ id }) => id), newest)
  gate.open()
  const { id } = await finished
  await place.sql`UPDATE backup_logs SET status = 'failed' WHERE id = ${id}`
  const after = await engine.status()
  t.equal(after.healthy, false)
  t.strictSame(after.newest.map(({ id }) => id), newest)
  await engine.create()
  t.match(await engine.status(), { healthy: true })
})

t.test('every replica sees the progress of a run', async (t) => {
  const place = await usePlace(t)
  const other = useEngine(t, place)
  let now = Date.now()
  const gate = createGate()
  const engine = useEngine(t, place, {
    storage: storageBehind(place.directory, gate)
  }, { now: () => new Date(now), wait: async () => {} })
  // The log is updated every two seconds, so the clock advances with the first report
  const { backup, finished } = await engine.beginCreate({ onProgress () { now += 2000 } })
  await gate.reached
  const expected = { phase: 'snapshot' as const, table: null, tables: 2, tablesDone: 2, rows: 5, percent: 97 }
  await until(async () => (await other.get(backup.id)).progress !== undefined)
  t.match(await other.get(backup.id), { status: 'running', progress: expected })
  t.match(await engine.get(backup.id), { progress: expected })
  const { running } = await other.status()
  t.strictSame(running.map(({ id, progress }) => [id, progress?.percent]), [[backup.id, 97]])
  gate.open()
  t.notOk('progress' in await finished)
  t.notOk('progress' in await other.get(backup.id))
})
