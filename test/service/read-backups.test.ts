import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Backup } from '../../types/index.ts'
import { createShop, useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { testSchema } from '../support/database.ts'

const unknownId = '00000000-0000-4000-8000-000000000000'

t.test('the list is newest first, in the order of insertion, page by page, whatever the clocks said', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, ordinal)
    SELECT gen_random_uuid(), ${testSchema}, i::text, 'failed', 'manual', timestamptz '2026-11-22Z' - i * interval '1 h', i / 3 FROM generate_series(0, 9) AS i`
  const all = (await engine.list()).backups
  const placeOf = ({ filename, id }: Backup): string => `${Math.floor(Number(filename) / 3)} ${id}`
  const sorted = [...all].sort((a: Backup, b: Backup) => (placeOf(a) < placeOf(b) ? 1 : -1))
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
  t.strictSame((await engine.list({ limit: 10 })).next, null, 'a page that is just full is the last')
})

t.test('it is filtered by schema, status and trigger', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  const first = await engine.create()
  const second = await engine.create({ schema: 'tenant' })
  const { preRestoreId } = await engine.restore(first.id)
  const ids = async (query: Parameters<typeof engine.list>[0]): Promise<string[]> => (await engine.list(query)).backups.map(({ id }) => id)
  t.strictSame(await ids({ schema: 'tenant' }), [second.id])
  t.strictSame(await ids({ status: 'restored' }), [first.id])
  t.strictSame(await ids({ trigger: 'pre_restore' }), [preRestoreId])
  t.strictSame(await ids({ schema: 'tenant', status: 'restored' }), [])
  t.strictSame(await ids({ schema: 'nowhere' }), [])
})

t.test('a backup whose file is gone says so, and so does one whose storage can not be asked', async (t) => {
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
  await t.rejects(engine.download(backup.id), { code: 'FST_BACKUP_STORAGE_FAILED' }, 'not 410: it may be there')
  isDown = false
  await rm(join(place.directory, backup.filename))
  t.strictSame(await engine.get(backup.id), { ...backup, available: false })
  t.match((await engine.list()).backups, [{ available: false }])
  t.match((await engine.status()).newest, [{ available: false }])
})

t.test('pin and note', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const backup = await engine.create({ note: 'first' })
  t.strictSame(await engine.update(backup.id, { pinned: true }), { ...backup, pinned: true })
  t.strictSame(await engine.update(backup.id, { note: 'second' }), { ...backup, pinned: true, note: 'second' })
  t.strictSame(await engine.update(backup.id, { pinned: false, note: null }), { ...backup, note: null })
  t.strictSame(await engine.update(backup.id, {}), { ...backup, note: null })
  await t.rejects(engine.update(unknownId, { pinned: true }), { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404 })
})

t.test('an unknown id', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const missing = { code: 'FST_BACKUP_NOT_FOUND', statusCode: 404, message: `There is no backup ${unknownId}` }
  await t.rejects(engine.get(unknownId), missing)
  await t.rejects(engine.download(unknownId), missing)
  await t.rejects(engine.plan(unknownId), missing)
  await t.rejects(engine.restore(unknownId), missing)
  await t.rejects(engine.remove(unknownId), missing)
})

t.test('the status tells what runs, what there is, and what fails', async (t) => {
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
  t.strictSame(await engine.status(), { healthy: true, problems: [], allowRestore: true, nextRunAt: null, running: [], newest: [], newestNext: null, bytesHeld: 0 })
  const first = await engine.create()
  const second = await engine.create()
  const tenant = await engine.create({ schema: 'tenant' })
  t.strictSame(await engine.status(), {
    healthy: true,
    problems: [],
    allowRestore: true,
    nextRunAt: null,
    running: [],
    newest: [second, tenant],
    newestNext: null,
    bytesHeld: (first.sizeBytes ?? 0) + (second.sizeBytes ?? 0) + (tenant.sizeBytes ?? 0)
  })

  isHeld = true
  const { backup, finished } = await engine.beginCreate()
  await gate.reached
  t.match(await engine.status(), { healthy: true, running: [{ id: backup.id, status: 'running' }], newest: [{ id: second.id }, { id: tenant.id }] })
  gate.open()
  const { id } = await finished
  await place.sql`UPDATE backup_logs SET status = 'failed' WHERE id = ${id}`
  t.match(await engine.status(), { healthy: false, newest: [{ id: second.id }, { id: tenant.id }] })
  await engine.create()
  t.match(await engine.status(), { healthy: true })
})

t.test('the progress of a run is seen by every replica', async (t) => {
  const place = await usePlace(t)
  const other = useEngine(t, place)
  let now = Date.now()
  const gate = createGate()
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        await gate.pass()
        await storage.publish(spoolPath, name)
      }
    })
  }, { now: () => new Date(now), wait: async () => {} })
  // Progress is noted now and then: a second passes with the first report
  const { backup, finished } = await engine.beginCreate({ onProgress () { now += 1000 } })
  await gate.reached
  const expected = { phase: 'snapshot' as const, table: null, tables: 2, tablesDone: 2, rows: 5 }
  let seen = await other.get(backup.id)
  while (seen.progress === undefined) seen = await other.get(backup.id)
  t.match(seen, { status: 'running', progress: expected })
  t.match(await engine.get(backup.id), { progress: expected })
  gate.open()
  t.notOk('progress' in await finished)
  t.notOk('progress' in await other.get(backup.id))
})
