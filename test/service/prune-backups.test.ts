import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PrunedBackup } from '../../types/index.ts'
import {
  createShop, eventNames, type Place, type TestEngine, useEngine, usePlace, linesBesidesRuns
} from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { untilBlocked } from '../support/backends.ts'
import { testSchema } from '../support/database.ts'
import { until } from '../support/until.ts'
import { matchEach } from '../support/match-each.ts'

const filesOf = async ({ directory }: Place): Promise<string[]> => (await readdir(directory)).sort()
const idsOf = async (engine: TestEngine, schema = testSchema): Promise<string[]> =>
  (await engine.list({ schema })).backups.map(({ id }) => id)

t.test('after a backup, the oldest snapshots of the schema beyond maxBackups are removed, row and file', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place, { maxBackups: 2 })
  const tenant = await engine.create({ schema: 'tenant' })
  const oldest = await engine.create()
  const second = await engine.create()
  const third = await engine.create()
  t.strictSame(await idsOf(engine), [third.id, second.id])
  t.strictSame(await idsOf(engine, 'tenant'), [tenant.id])
  t.strictSame(await filesOf(place), [second, third, tenant].map(({ filename }) => filename).sort())
  t.strictSame(engine.events.at(-1), ['backup:pruned', {
    backup: { ...oldest, available: false }, reason: `beyond the newest 2 of schema ${testSchema}`
  }])
})

t.test('a backup removes no snapshots of another schema', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  for (let made = 0; made < 3; made++) await engine.create({ schema: 'tenant' })
  const tenant = await idsOf(engine, 'tenant')
  const { id } = await useEngine(t, place, { maxBackups: 1 }).create()
  t.strictSame(await idsOf(engine), [id])
  t.strictSame(await idsOf(engine, 'tenant'), tenant)
  t.equal(tenant.length, 3)
})

t.test('a snapshot that is not completed yet removes no other one', async (t) => {
  const place = await usePlace(t)
  await useEngine(t, place).create()
  const gate = createGate()
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      await storage.publish(spoolPath, name)
      await gate.pass()
    }
  })
  const { finished } = await useEngine(t, place, { storage }).beginCreate()
  await gate.reached
  t.strictSame(await useEngine(t, place, { maxBackups: 1 }).prune(), [])
  gate.open()
  await finished
})

t.test('a pinned snapshot is kept, and failed runs do not evict snapshots', async (t) => {
  const place = await usePlace(t)
  let isFull = false
  const engine = useEngine(t, place, {
    maxBackups: 2,
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
        await storage.publish(spoolPath, name)
      }
    })
  })
  const pinned = await engine.create()
  await engine.update(pinned.id, { pinned: true })
  const good = await engine.create()
  isFull = true
  for (let run = 0; run < 4; run++) await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FULL' })
  isFull = false
  const newest = await engine.create()
  const { backups } = await engine.list()
  const completed = backups.filter(({ status }) => status === 'completed').map(({ id }) => id)
  t.strictSame(completed, [newest.id, good.id, pinned.id])
  t.equal(backups.filter(({ status }) => status === 'failed').length, 2, 'the newest failed runs are kept')
})

t.test('a failed restore evicts nothing, not even its source', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1, excludeTables: ['audit_logs'] })
  const source = await engine.create()
  await place.sql.unsafe(`INSERT INTO users (name) VALUES ('Eve');
    CREATE TABLE audit_logs AS SELECT max(id) AS user_id FROM users;
    ALTER TABLE audit_logs ADD FOREIGN KEY (user_id) REFERENCES users`)
  for (let attempt = 0; attempt < 3; attempt++) {
    await t.rejects(engine.restore(source.id), { code: 'FST_BACKUP_RESTORE_FAILED' })
  }
  t.match(await engine.get(source.id), { available: true })
  await place.sql`DELETE FROM audit_logs`
  const { preRestoreId } = await engine.restore(source.id)
  const ids = await idsOf(engine)
  t.strictSame(ids, [preRestoreId, source.id], 'the limit applies again, except to the newest complete backup')
})

t.test('a missing file does not cause other snapshots to be pruned', async (t) => {
  const place = await usePlace(t)
  const generous = useEngine(t, place)
  const good = await generous.create()
  const lost = await generous.create()
  await rm(join(place.directory, lost.filename))
  const strict = useEngine(t, place, { maxBackups: 1 })
  t.strictSame(await strict.prune(), [])
  t.match(await strict.get(good.id), { available: true })
})

t.test('nothing is pruned while the storage cannot be listed', async (t) => {
  const place = await usePlace(t)
  const generous = useEngine(t, place)
  await generous.create()
  await generous.create()
  const storage = storageWith(place.directory, { list: async () => { throw new Error('hunter2') } })
  const strict = useEngine(t, place, { maxBackups: 1, storage })
  await t.rejects(strict.prune(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.equal((await idsOf(generous)).length, 2)
})

t.test('a snapshot that is pinned during pruning is kept', async (t) => {
  const place = await usePlace(t)
  const generous = useEngine(t, place)
  const pinned = await generous.create()
  const newest = await generous.create()
  let pruning: Promise<PrunedBackup[]> | undefined
  await place.sql.begin(async (tx) => {
    await tx`UPDATE backup_logs SET pinned = true WHERE id = ${pinned.id}`
    pruning = useEngine(t, place, { maxBackups: 1 }).prune()
    await untilBlocked(place.sql)
  })
  t.strictSame(await pruning, [])
  t.strictSame(await idsOf(generous), [newest.id, pinned.id])
})

t.test('a service without a schedule does not prune scheduled snapshots by age', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await engine.create()
  await place.sql`UPDATE backup_logs SET trigger = 'scheduled', inserted_at = inserted_at - interval '99 days'
    WHERE id = ${id}`
  t.strictSame(await engine.prune(), [])
  const pruned = await useEngine(t, place, { schedule: { enabled: true } }).prune()
  matchEach(t, pruned, [{ backup: { id }, reason: 'scheduled and older than 30 days' }])
})

t.test('a backup that a dead replica was restoring can be removed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`UPDATE backup_logs SET restores = ${place.sql.json([
    { status: 'running', schema: testSchema, startedAt: '2026-11-22T10:00:00.000Z' }
  ])} WHERE id = ${id}`
  await engine.remove(id)
  await t.rejects(engine.get(id), { code: 'FST_BACKUP_NOT_FOUND' })
})

t.test('prune() returns the removed backups with the reasons', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const generous = useEngine(t, place)
  const made = [await generous.create(), await generous.create(), await generous.create({ schema: 'tenant' })]
  await place.sql`UPDATE backup_logs SET trigger = 'scheduled', inserted_at = inserted_at - interval '8 days'
    WHERE id = ${made[0]?.id ?? ''}`
  t.strictSame(await generous.prune(), [])
  const strict = useEngine(t, place, { maxBackups: 1, schedule: { enabled: true, retentionDays: 7 } })
  const pruned = await strict.prune()
  matchEach(t, pruned, [{
    backup: { id: made[0]?.id }, reason: `beyond the newest 1 of schema ${testSchema}; scheduled and older than 7 days`
  }])
  t.strictSame(strict.events, pruned.map((entry: PrunedBackup) => ['backup:pruned', entry]))
  t.strictSame(await strict.prune(), [])
})

t.test('the source and the pre_restore snapshot of a restore in another replica are kept', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  let opened = 0
  const reader = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        // The file is opened for the second time after the pre_restore snapshot
        if (opened++ === 1) await gate.pass()
        return await storage.open(name, range)
      }
    })
  })
  const source = await reader.create()
  const restoring = reader.restore(source.id)
  await gate.reached
  const { backups: [preRestore] } = await reader.list()
  const newer = `${testSchema}_2099-01-01T00-00-00-000Z.json`
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, size_bytes, checksum)
    VALUES (gen_random_uuid(), ${testSchema}, ${newer}, 'completed', 'manual', now() + interval '1 hour', 0, '')`
  await writeFile(join(place.directory, newer), '')
  // Without this record, only the locks show the other replica that the restore is running
  await place.sql`UPDATE backup_logs SET restores = '[]'`

  const other = useEngine(t, place, { maxBackups: 1 })
  t.strictSame(await other.prune(), [])
  await t.rejects(other.remove(preRestore?.id ?? ''), { code: 'FST_BACKUP_BUSY', statusCode: 409 })
  await t.rejects(other.remove(source.id), { code: 'FST_BACKUP_BUSY' })
  gate.open()
  const { preRestoreId } = await restoring
  t.equal(preRestoreId, preRestore?.id)
  const pruned = (await other.prune()).map(({ backup }) => backup.id)
  t.strictSame(pruned, [source.id], 'the newest pre_restore snapshot is kept')
})

t.test('a download continues to its end even if the snapshot is pruned meanwhile', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 1000) FROM generate_series(1, 5000)`
  const [engine, other] = [useEngine(t, place), useEngine(t, place, { maxBackups: 1 })]
  const { id, filename } = await engine.create()
  const bytes = await readFile(join(place.directory, filename))
  const { stream } = await engine.download(id)
  const chunks = stream[Symbol.asyncIterator]()
  const received = [(await chunks.next()).value as Buffer]

  const newer = await other.create()
  t.strictSame(await filesOf(place), [newer.filename])
  await t.rejects(engine.download(id), { code: 'FST_BACKUP_NOT_FOUND' })
  for (let chunk = await chunks.next(); chunk.done !== true; chunk = await chunks.next()) {
    received.push(chunk.value as Buffer)
  }
  t.ok(Buffer.concat(received).equals(bytes))
})

t.test('remove() deletes row and file once', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const first = await engine.create()
  const second = await engine.create()
  const other = useEngine(t, place)
  const removals = [engine.remove(first.id), engine.remove(first.id), other.remove(first.id)]
  const outcomes = await Promise.allSettled(removals)
  t.ok(outcomes.some(({ status }) => status === 'fulfilled'))
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.equal(outcome.reason.code, 'FST_BACKUP_NOT_FOUND')
  }
  await t.rejects(engine.get(first.id), { code: 'FST_BACKUP_NOT_FOUND' })
  t.strictSame(await filesOf(place), [second.filename])
  await engine.update(second.id, { pinned: true })
  await rm(join(place.directory, second.filename))
  await engine.remove(second.id)
  t.strictSame(await place.sql`SELECT FROM backup_logs`.then((rows) => rows.length), 0)
})

t.test('a run in progress cannot be removed', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const storage = storageWith(place.directory, {
    async publish () {
      await gate.pass()
      throw new Error('no')
    }
  })
  const engine = useEngine(t, place, { storage })
  const { backup, finished } = await engine.beginCreate()
  await gate.reached
  await t.rejects(engine.remove(backup.id), { code: 'FST_BACKUP_BUSY' })
  gate.open()
  await t.rejects(finished, { code: 'FST_BACKUP_STORAGE_FAILED' })
  await engine.remove(backup.id)
  t.strictSame((await engine.list()).backups, [])
})

t.test('a removal that fails in the storage is completed later', async (t) => {
  const place = await usePlace(t)
  let isDown = true
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async remove (storage, name) {
        if (isDown) throw new Error('down')
        await storage.remove(name)
      }
    })
  })
  const { id, filename } = await engine.create()
  await t.rejects(engine.remove(id), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await t.rejects(engine.get(id), { code: 'FST_BACKUP_NOT_FOUND' }, 'the backup is no longer listed')
  t.ok((await filesOf(place)).includes(filename))
  isDown = false
  const next = await engine.create()
  t.strictSame(await filesOf(place), [next.filename])
})

t.test('pruning waits for another removal in the schema, and decides after it', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const older = await engine.create()
  const newer = await engine.create()
  const session = await place.sql.reserve()
  t.after(async () => { session.release() })
  await session`BEGIN`
  await session`SELECT FROM backup_logs WHERE id = ${newer.id} FOR UPDATE`
  const removal = engine.remove(newer.id)
  await untilBlocked(place.sql)
  const pruning = useEngine(t, place, { maxBackups: 1 }).prune()
  await Promise.race([pruning, until(async () => (await place.sql`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`).length === 2)])
  await session`COMMIT`
  await removal
  t.strictSame(await pruning, [])
  t.strictSame(await idsOf(engine), [older.id])
})

t.test('a snapshot whose file could not be removed does not count any more', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, { remove: async () => { throw new Error('down') } })
  const engine = useEngine(t, place, { storage })
  const first = await engine.create()
  const second = await engine.create()
  const third = await engine.create()
  await t.rejects(engine.remove(third.id), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.strictSame(await useEngine(t, place, { maxBackups: 2 }).prune(), [])
  t.strictSame(await idsOf(engine), [second.id, first.id])
})

t.test('a backup is completed even if pruning fails', async (t) => {
  const place = await usePlace(t)
  let isDown = false
  const engine = useEngine(t, place, {
    maxBackups: 1,
    storage: storageWith(place.directory, {
      list: async (storage, prefix) => {
        if (isDown) throw new Error('down')
        return await storage.list(prefix)
      },
      stat: async (storage, name) => {
        if (isDown) throw new Error('down')
        return await storage.stat(name)
      }
    })
  })
  await engine.create()
  engine.on('backup:completed', () => { isDown = true })
  t.match(await engine.create(), { status: 'completed' })
  t.equal(linesBesidesRuns(engine).length, 1)
  t.match(linesBesidesRuns(engine)[0], { schema: testSchema, msg: /could not be pruned/, reason: /storage failed/ })
  t.strictSame(eventNames(engine).filter((name) => name === 'backup:failed'), [])
})

t.test('stop() waits for the pruning after a backup', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url }, { maxBackups: 1 })
  await engine.create()
  const creating = engine.create()
  engine.once('backup:completed', () => { engine.stop() })
  await creating
  t.equal((await filesOf(place)).length, 1)
})
