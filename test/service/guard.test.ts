import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Backup, BackupOptions } from '../../types/index.ts'
import { quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import {
  createShop, eventNames, type Place, type TestEngine, useEngine, usePlace, linesBesidesRuns
} from '../support/engine.ts'
import { createGate, storageFollowedBy, storageWith } from '../support/storage-double.ts'
import { systemClock } from '../../lib/clock.ts'
import { testSchema, type TestScope, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'

const hour = 60 * 60_000
const idsOf = async (engine: TestEngine): Promise<string[]> => (await engine.list()).backups.map(({ id }) => id)
const heldOf = async (engine: TestEngine): Promise<string[]> =>
  (await engine.list()).backups.filter(({ held }) => held).map(({ id }) => id)

/** The shop, and a table with 200 rows. */
async function useFilledPlace (t: TestScope): Promise<Place> {
  const place = await usePlace(t)
  await place.sql.unsafe('CREATE TABLE items AS SELECT i AS id FROM generate_series(1, 200) i')
  return place
}

/** An engine whose clock is some hours ahead of the machine's. */
function useSkewedEngine (t: TestScope, place: Place, hours: number, options: BackupOptions = {}): TestEngine {
  return useEngine(t, place, options, { ...systemClock, now: () => new Date(Date.now() + hours * hour) })
}

t.test('backups that were made while a clock was ahead do not evict later ones', async (t) => {
  const place = await useFilledPlace(t)
  const ahead = useSkewedEngine(t, place, 1, { maxBackups: 2 })
  const [first, second] = [await ahead.create(), await ahead.create()]
  const engine = useEngine(t, place, { maxBackups: 2 })
  await place.sql`INSERT INTO items VALUES (999)`
  const { preRestoreId } = await engine.restore(first.id)
  t.match(await engine.get(preRestoreId), { available: true })
  t.strictSame(await idsOf(engine), [preRestoreId, second.id, first.id])
  const made = await engine.create()
  t.match(await engine.get(made.id), { available: true, status: 'completed' })
  t.strictSame((await engine.status()).newest.map(({ id }) => id), [made.id])
  await engine.restore(preRestoreId)
  const rows = await place.sql`SELECT id FROM items WHERE id = 999`
  t.strictSame([...rows], [{ id: 999 }], 'the replaced row is restored')
})

t.test('a file that is dated in the future evicts no backup, whether it is imported or adopted', async (t) => {
  const place = await useFilledPlace(t)
  const { filename } = await useSkewedEngine(t, place, 50_000).create()
  const bytes = await readFile(join(place.directory, filename))
  await place.sql`DELETE FROM backup_logs`
  const engine = useEngine(t, place, { maxBackups: 1 })
  const before = await engine.create()
  const listed = (await engine.list()).backups.map((backup) => [backup.filename, backup.held])
  t.strictSame(listed, [[before.filename, false], [filename, true]])
  t.strictSame((await idsOf(engine))[0], before.id)
  const after = await engine.create()
  t.match(await engine.get(after.id), { available: true })
  const imported = await engine.import(Readable.from([bytes]))
  const newest = await engine.create()
  t.strictSame((await idsOf(engine)).slice(0, 1), [newest.id])
  await t.rejects(engine.get(imported.id), { code: 'FST_BACKUP_NOT_FOUND' })
})

t.test('snapshots of an emptied table are suspect, and do not evict the ones before them', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  const good = [await engine.create(), await engine.create()]
  await place.sql`DELETE FROM items`
  const suspects: Backup[] = []
  for (let run = 0; run < 4; run++) suspects.push(await engine.create())
  const suspect = [{ table: 'items', rowsBefore: 200, rows: 0 }, { table: null, rowsBefore: 205, rows: 5 }]
  for (const backup of suspects) t.strictSame(backup.suspect, suspect)
  const expected = [suspects[3]?.id, suspects[2]?.id, good[1]?.id, good[0]?.id]
  t.strictSame(await idsOf(engine), expected, 'suspects and held snapshots are counted separately')
  t.strictSame(await heldOf(engine), [good[1]?.id, good[0]?.id])
  t.match(await engine.get(good[0]?.id ?? ''), { held: true, available: true, suspect: null })
  t.equal(eventNames(engine).filter((name) => name === 'backup:suspect').length, 4)
  const line = engine.lines.find(({ msg }) => msg.includes('far fewer rows'))
  t.match(line, { level: 40, schema: testSchema, id: suspects[0]?.id })
  t.strictSame(line?.suspect, suspect)
  const [problem] = (await engine.status()).problems
  const since = suspects[2]?.startedAt ?? ''
  const message = /items from 200 to 0 rows/
  t.match(problem, { code: 'suspect_snapshot', message, since }, 'since the first that exists')
  t.ok(problem?.message.includes(`are held: restore that of ${good[1]?.startedAt} (${good[1]?.id}), or accept`))
  const storage = storageWith(place.directory, { list: async () => { throw new Error('offline') } })
  const offline = (await useEngine(t, place, { storage }).status()).problems
  const advice = offline.find(({ code }) => code === 'suspect_snapshot')?.message
  t.match(advice, /; no good snapshot before it is available/)
  await engine.update(suspects[3]?.id ?? '', { accepted: true })
  t.strictSame((await engine.status()).problems, [])
})

t.test('the hold ends when the newest suspect is accepted', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  const good = await engine.create()
  await place.sql`DELETE FROM items`
  const [first, second] = [await engine.create(), await engine.create()]
  t.match(await engine.update(first.id, { accepted: true }), { accepted: true, held: true })
  t.strictSame(await heldOf(engine), [first.id, good.id], 'the newest is still suspect')
  t.match(await engine.update(second.id, { accepted: true }), { accepted: true, held: false })
  t.strictSame(await heldOf(engine), [])
  const next = await engine.create()
  t.equal(next.suspect, null, 'the accepted one is the baseline')
  t.strictSame(await idsOf(engine), [next.id, second.id])
})

t.test('the hold ends when a later snapshot is not suspect', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place)
  const good = await engine.create()
  await place.sql`DELETE FROM items`
  await engine.create()
  t.strictSame(await heldOf(engine), [good.id])
  await place.sql`INSERT INTO items SELECT generate_series(1, 150)`
  t.equal((await engine.create()).suspect, null)
  t.strictSame(await heldOf(engine), [])
})

t.test('the hold ends with a restore; the restored snapshot is the baseline even if it has fewer rows', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place)
  const small = await engine.create()
  await place.sql`INSERT INTO items SELECT generate_series(1000, 9000)`
  const large = await engine.create()
  await place.sql`DROP TABLE orders`
  const suspect = await engine.create({})
  t.equal(suspect.suspect, null, 'three rows are below minRows')
  await place.sql`TRUNCATE items`
  t.strictSame((await engine.create()).suspect?.map(({ table }) => table), ['items', null])
  t.strictSame((await heldOf(engine)).includes(large.id), true)
  await engine.restore(small.id, { allowSchemaDrift: true })
  t.strictSame(await heldOf(engine), [])
  t.equal((await engine.create()).suspect, null)
  await place.sql`DELETE FROM items WHERE id > 10`
  t.strictSame((await engine.create()).suspect?.[0], { table: 'items', rowsBefore: 200, rows: 10 })
})

interface Emptied { place: Place, engine: TestEngine, good: Backup[], suspects: Backup[] }

/** Two good snapshots of the shop with items and settings, and two without items. */
async function useEmptied (t: TestScope): Promise<Emptied> {
  const place = await useFilledPlace(t)
  await place.sql.unsafe("CREATE TABLE settings AS SELECT 'a' AS k")
  const engine = useEngine(t, place, { maxBackups: 2 })
  const good = [await engine.create(), await engine.create()]
  await place.sql`DELETE FROM items`
  const suspects = [await engine.create(), await engine.create()]
  return { place, engine, good, suspects }
}

t.test('a restore of a table that lost no rows does not end the hold, and later snapshots are suspect', async (t) => {
  const { engine, good, suspects } = await useEmptied(t)
  const ids = [...good, ...suspects].map(({ id }) => id)
  const { preRestoreId } = await engine.restore(good[1]?.id ?? '', { tables: ['settings'] })
  t.strictSame(await idsOf(engine), [preRestoreId, ...ids.toReversed()])
  t.strictSame(await heldOf(engine), [good[1]?.id, good[0]?.id])
  const next = await engine.create()
  t.strictSame(next.suspect, [{ table: 'items', rowsBefore: 200, rows: 0 }])
  t.strictSame((await engine.status()).problems.map(({ code }) => code), ['suspect_snapshot'])
  t.strictSame(await idsOf(engine), [next.id, preRestoreId, suspects[1]?.id, good[1]?.id, good[0]?.id])
  await engine.restore(good[1]?.id ?? '', { tables: ['items'] })
  t.strictSame(await heldOf(engine), [], 'the table that lost rows is back')
  t.strictSame((await engine.status()).problems, [])
})

t.test('a restored snapshot is kept, and so is the newest good one when the rows are lost again', async (t) => {
  const { place, engine, good, suspects } = await useEmptied(t)
  const { preRestoreId } = await engine.restore(good[0]?.id ?? '')
  t.strictSame(await heldOf(engine), [])
  const kept = [preRestoreId, suspects[1]?.id, suspects[0]?.id, good[1]?.id, good[0]?.id]
  t.strictSame(await idsOf(engine), kept, 'the source is kept beyond maxBackups')
  await place.sql`DELETE FROM items`
  const lost = [await engine.create(), await engine.create(), await engine.create()]
  const loss = { table: 'items', rowsBefore: 200, rows: 0 }
  t.strictSame(lost.map(({ suspect }) => suspect?.[0]), [loss, loss, loss])
  t.strictSame(await idsOf(engine), [lost[2]?.id, lost[1]?.id, preRestoreId, good[1]?.id, good[0]?.id])
  t.strictSame(await heldOf(engine), [good[1]?.id, good[0]?.id])
})

t.test('a complete restore of a suspect snapshot ends the hold and does not evict a good one', async (t) => {
  const { engine, good, suspects } = await useEmptied(t)
  await engine.restore(suspects[1]?.id ?? '', { tables: ['settings'] })
  t.strictSame(await heldOf(engine), [good[1]?.id, good[0]?.id])
  const { preRestoreId } = await engine.restore(suspects[1]?.id ?? '')
  t.strictSame(await heldOf(engine), [])
  t.strictSame((await engine.get(suspects[1]?.id ?? '')).suspect, suspects[1]?.suspect)
  t.strictSame((await idsOf(engine)).includes(good[1]?.id ?? ''), true)
  await engine.remove(preRestoreId)
  t.strictSame(await heldOf(engine), [], 'even if the pre_restore snapshot is deleted')
  t.strictSame((await engine.status()).problems, [])
})

t.test('restores of single tables add up; a loss in total requires a complete restore', async (t) => {
  const place = await usePlace(t)
  for (const name of ['a', 'b']) {
    await place.sql.unsafe(`CREATE TABLE ${name} AS SELECT generate_series(1, 200) AS i`)
  }
  const engine = useEngine(t, place)
  const good = await engine.create()
  await place.sql.unsafe('DELETE FROM a; DELETE FROM b')
  t.strictSame((await engine.create()).suspect?.map(({ table }) => table), ['a', 'b', null])
  await engine.restore(good.id, { tables: ['a'] })
  t.strictSame(await heldOf(engine), [good.id])
  await engine.restore(good.id, { tables: ['b'] })
  t.strictSame(await heldOf(engine), [])
  const small = useEngine(t, place, { guard: { minRows: 300 } })
  await small.create()
  await place.sql.unsafe('DELETE FROM a; DELETE FROM b')
  t.strictSame((await small.create()).suspect, [{ table: null, rowsBefore: 405, rows: 5 }])
  await small.restore(good.id, { tables: ['a', 'b'] })
  t.strictSame((await heldOf(small)).length, 2)
  await small.restore(good.id)
  t.strictSame(await heldOf(small), [])
})

t.test('accepting an import, or a snapshot that lost no rows, does not end the hold', async (t) => {
  const { place, engine, good } = await useEmptied(t)
  const file = await readFile(join(place.directory, good[0]?.filename ?? ''))
  const imported = await engine.import(Readable.from([file]))
  const { accepted, held } = await engine.update(imported.id, { accepted: true })
  t.strictSame([accepted, held], [true, false])
  t.strictSame(await heldOf(engine), [good[1]?.id, good[0]?.id])
  t.strictSame((await engine.status()).problems.map(({ code }) => code), ['suspect_snapshot'])
  await place.sql`DROP TABLE backup_logs`
  const next = useEngine(t, place)
  await next.rescan()
  const adopted = await heldOf(next)
  const partial = await next.create({ excludeTables: ['items'] })
  await next.update(partial.id, { accepted: true })
  t.strictSame(await heldOf(next), adopted, 'nor the hold on adopted snapshots')
})

/** The same with another schema, `tenant`, that has the same tables and rows. */
async function usePlaceWithTenant (t: TestScope): Promise<Place> {
  const place = await useFilledPlace(t)
  await createShop(place, 'tenant')
  await place.sql.unsafe('CREATE TABLE tenant.items AS SELECT i AS id FROM generate_series(1, 200) i')
  return place
}

t.test('a restore does not end the hold on another schema', async (t) => {
  const place = await usePlaceWithTenant(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const held = await engine.create({ schema: 'tenant' })
  await place.sql`DELETE FROM tenant.items`
  await engine.create({ schema: 'tenant' })
  await engine.restore(id)
  t.strictSame(await heldOf(engine), [held.id])
})

t.test('a restore into another schema does not end the hold on the schema of the snapshot', async (t) => {
  const place = await usePlaceWithTenant(t)
  const engine = useEngine(t, place)
  const held = await engine.create()
  await place.sql`DELETE FROM items`
  const suspect = await engine.create()
  await engine.restore(suspect.id, { schema: 'tenant' })
  t.strictSame(await heldOf(engine), [held.id])
  await place.sql`UPDATE backup_logs SET adopted = true WHERE id = ${suspect.id}`
  await engine.restore(suspect.id, { schema: 'tenant' })
  t.strictSame(await heldOf(engine), [suspect.id, held.id], 'an adopted snapshot stays held, too')
})

t.test('a restore of a partial snapshot does not end the hold on adopted ones', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place)
  const adopted = await engine.create()
  const partial = await engine.create({ excludeTables: ['items'] })
  await place.sql`UPDATE backup_logs SET adopted = true WHERE id = ${adopted.id}`
  await engine.restore(partial.id)
  t.strictSame(await heldOf(engine), [adopted.id])
  await engine.restore(adopted.id)
  t.strictSame(await heldOf(engine), [])
})

t.test('a failed restore does not end the hold', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place)
  const good = await engine.create()
  await place.sql.unsafe(`DELETE FROM items;
    CREATE TABLE audit_logs AS SELECT id AS user_id FROM users;
    ALTER TABLE audit_logs ADD FOREIGN KEY (user_id) REFERENCES users`)
  const suspect = await engine.create()
  await place.sql.unsafe("INSERT INTO users VALUES (77, 'Eve'); INSERT INTO audit_logs VALUES (77)")
  await t.rejects(engine.restore(good.id), { code: 'FST_BACKUP_RESTORE_FAILED' })
  t.strictSame(await heldOf(engine), [good.id])
  t.match(await engine.get(suspect.id), { held: false })
})

t.test('a dropped table counts as a loss, and an excluded one does not', async (t) => {
  const place = await useFilledPlace(t)
  await useEngine(t, place).create()
  t.equal((await useEngine(t, place, { excludeTables: ['items'] }).create()).suspect, null)
  await place.sql`DROP TABLE items`
  t.match((await useEngine(t, place).create()).suspect?.[0], { table: 'items', rowsBefore: 200, rows: 0 })
})

t.test('partial snapshots are not compared, and do not evict full ones', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const full = await engine.create()
  const partial: Backup[] = []
  for (let run = 0; run < 3; run++) partial.push(await engine.create({ excludeTables: ['items', 'users', 'orders'] }))
  t.strictSame(partial.map(({ suspect }) => suspect), [null, null, null])
  t.strictSame(await idsOf(engine), [partial[2]?.id, full.id])
  await place.sql`DELETE FROM items`
  t.not((await engine.create()).suspect, null)
  t.strictSame(await heldOf(engine), [full.id])
})

t.test('without a guard nothing is compared or held; the limits of the guard are options', async (t) => {
  const place = await useFilledPlace(t)
  const [guarded, unguarded] = [useEngine(t, place), useEngine(t, place, { guard: false })]
  await guarded.create()
  await place.sql`DELETE FROM items WHERE id > 100`
  t.not((await useEngine(t, place, { guard: { shrink: 0.1 } }).create()).suspect, null)
  const lenient = { shrink: 0.1, ignoreTables: ['items', 'users'], minRows: 4 }
  t.equal((await useEngine(t, place, { guard: lenient }).create()).suspect, null)
  t.equal((await guarded.create()).suspect, null)
  await place.sql`DELETE FROM items`
  t.equal((await unguarded.create()).suspect, null)
  t.strictSame(await heldOf(unguarded), [])
  t.strictSame((await unguarded.status()).problems, [])
  t.strictSame((await unguarded.rescan()).adopted, [])
})

t.test('after the loss of the database, adopted snapshots are held until a restore', async (t) => {
  const place = await useFilledPlace(t)
  const former = useEngine(t, place)
  const made = [await former.create(), await former.create()]
  const database = { ...await useDatabase(t), directory: place.directory }
  await createShop(database, testSchema)
  const engine = useEngine(t, database, { maxBackups: 1 })
  t.equal((await engine.rescan()).adopted.length, 2)
  const suspects = [await engine.create(), await engine.create(), await engine.create()]
  const loss = { table: 'items', rowsBefore: 200, rows: 0 }
  const losses = suspects.map(({ suspect }) => suspect?.[0])
  t.strictSame(losses, [loss, loss, loss], 'the adopted ones are the baseline')
  t.strictSame(await idsOf(engine), [suspects[2]?.id, made[1]?.id, made[0]?.id])
  t.strictSame(await heldOf(engine), [made[1]?.id, made[0]?.id])
  await database.sql.unsafe('CREATE TABLE items (id int)')
  await engine.restore(made[0]?.id ?? '', { tables: ['users', 'orders'] })
  t.strictSame(await heldOf(engine), [made[1]?.id, made[0]?.id], 'a partial restore does not end the hold')
  const { preRestoreId } = await engine.restore(made[0]?.id ?? '')
  t.strictSame(await heldOf(engine), [])
  t.strictSame((await idsOf(engine))[0], preRestoreId)
})

t.test('an acceptance releases the adopted snapshots up to the accepted one', async (t) => {
  const place = await useFilledPlace(t)
  const former = useEngine(t, place)
  const made = [await former.create(), await former.create(), await former.create()]
  await place.sql`DROP TABLE backup_logs`
  const engine = useEngine(t, place)
  await engine.rescan()
  t.strictSame((await heldOf(engine)).length, 3)
  await engine.update(made[1]?.id ?? '', { accepted: true })
  t.strictSame(await heldOf(engine), [made[2]?.id])
})

t.test('suspect snapshots are recognized again after the loss of the log', async (t) => {
  const place = await useFilledPlace(t)
  const former = useEngine(t, place)
  await former.create()
  await place.sql`DELETE FROM items`
  const suspect = await former.create()
  await place.sql`DROP TABLE backup_logs`
  const { adopted } = await useEngine(t, place).rescan()
  t.strictSame(adopted.map(({ id, suspect }) => [id, suspect]).at(-1), [suspect.id, suspect.suspect])
  t.strictSame(adopted[0]?.suspect, null)
})

t.test('an excluded table does not count as dropped when snapshots are adopted', async (t) => {
  const place = await useFilledPlace(t)
  await useEngine(t, place).create()
  for (const name of ['items', `${testSchema}.items`]) {
    const engine = useEngine(t, place, { excludeTables: [name] })
    await engine.create()
    await place.sql`DELETE FROM backup_logs`
    const { adopted } = await engine.rescan()
    t.ok(adopted.length > 1)
    t.strictSame([...new Set(adopted.map(({ suspect }) => suspect))], [null], name)
  }
})

t.test('pins, notes and acceptances survive the loss of the log', async (t) => {
  const place = await useFilledPlace(t)
  const former = useEngine(t, place)
  const first = await former.create({ note: 'old' })
  const second = await former.create({ note: 'kept' })
  const third = await former.create()
  await former.update(first.id, { pinned: true })
  await former.update(first.id, { note: 'the good one' })
  await former.update(first.id, { accepted: true })
  await former.update(third.id, { note: null })
  const sidecars = (await readdir(place.directory)).filter((name) => name.includes('sidecar'))
  t.strictSame(sidecars, [first.filename.replace('.json', '.sidecar-3.json')])
  await place.sql`DROP TABLE backup_logs`
  const engine = useEngine(t, place)
  await engine.rescan()
  t.match(await engine.get(first.id), { pinned: true, note: 'the good one', accepted: true, held: true })
  t.match(await engine.get(second.id), { pinned: false, note: 'kept', accepted: false })
  await engine.update(first.id, { pinned: false })
  await engine.remove(first.id)
  const left = (await readdir(place.directory)).sort()
  t.strictSame(left, [second.filename, third.filename].sort(), 'sidecars are removed with the file')
})

t.test('a sidecar that is damaged, too long or invalid is skipped in favor of the one before it', async (t) => {
  const place = await useFilledPlace(t)
  const former = useEngine(t, place)
  const { id, filename } = await former.create()
  await former.update(id, { note: 'good' })
  const path = (version: number): string => join(place.directory, filename.replace('.json', `.sidecar-${version}.json`))
  await writeFile(path(2), '{"pinned": true, "note": 5, "accepted": false}')
  await writeFile(path(3), 'null')
  await writeFile(path(4), '{')
  await writeFile(path(5), 'x'.repeat(100_000))
  await place.sql`DROP TABLE backup_logs`
  const engine = useEngine(t, place)
  await engine.rescan()
  t.match(await engine.get(id), { pinned: false, note: 'good' })
  await engine.update(id, { pinned: true })
  t.ok((await readFile(path(6), 'utf8')).includes('"pinned":true'), 'the next version is free')
  t.strictSame((await readdir(place.directory)).length, 2, 'the versions before it are removed')
  await writeFile(path(1), '{"pinned": 1, "note": null, "accepted": false}')
  await place.sql`DROP TABLE backup_logs`
  await rm(path(6))
  const last = useEngine(t, place)
  await last.rescan()
  t.match(await last.get(id), { pinned: false, note: null })
})

t.test('concurrent changes are all kept, in the log and in the sidecar', async (t) => {
  const place = await useFilledPlace(t)
  const replicas = [useEngine(t, place), useEngine(t, place)] as const
  const { id } = await replicas[0].create()
  await Promise.all([
    replicas[0].update(id, { pinned: true }),
    replicas[1].update(id, { note: 'x' }),
    replicas[0].update(id, { accepted: true })
  ])
  t.match(await replicas[0].get(id), { pinned: true, note: 'x', accepted: true })
  await place.sql`DROP TABLE backup_logs`
  const next = useEngine(t, place)
  await next.rescan()
  t.match(await next.get(id), { pinned: true, note: 'x', accepted: true })
})

t.test('a change whose sidecar cannot be written is not made', async (t) => {
  const place = await useFilledPlace(t)
  let isDown = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, path, name) {
        if (isDown) throw new Error('down')
        await storage.publish(path, name)
      }
    })
  })
  const { id } = await engine.create()
  isDown = true
  await t.rejects(engine.update(id, { pinned: true }), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.match(await engine.get(id), { pinned: false })
  t.match(await engine.update(id, {}), { pinned: false }, 'an empty change needs no sidecar')
})

t.test('a change is refused when other calls always come first', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, {
    storage: storageFollowedBy(place.directory, async (name) => {
      if (name.includes('sidecar')) await place.sql`UPDATE backup_logs SET sidecar = sidecar + 1`
    })
  })
  const { id } = await engine.create()
  await t.rejects(engine.update(id, { pinned: true }), { code: 'FST_BACKUP_BUSY' })
  t.match(await engine.get(id), { pinned: false })
})

t.test('a backup that is removed during a change is not found', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async stat (storage, name) {
        await place.sql`UPDATE backup_logs SET removed_at = now() WHERE note IS NOT NULL`
        return await storage.stat(name)
      }
    })
  })
  const { id } = await engine.create()
  await place.sql`UPDATE backup_logs SET note = 'x'`
  await t.rejects(engine.update(id, { pinned: true }), { code: 'FST_BACKUP_NOT_FOUND' })
})

t.test('no sidecar is left when the backup is removed while the sidecar is written', async (t) => {
  const place = await useFilledPlace(t)
  const other = useEngine(t, place)
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, path, name) {
        if (name.includes('sidecar')) await other.remove(id)
        await storage.publish(path, name)
      }
    })
  })
  const { id } = await other.create()
  await t.rejects(engine.update(id, { pinned: true }), { code: 'FST_BACKUP_NOT_FOUND' })
  t.strictSame(await readdir(place.directory), [])
})

t.test('only a snapshot can be accepted; a row without a file has its note in the log only', async (t) => {
  const place = await useFilledPlace(t)
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
  await t.rejects(engine.update(backup.id, { accepted: true }), { code: 'FST_BACKUP_NOT_COMPLETED', statusCode: 409 })
  gate.open()
  await t.rejects(finished, { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.match(await engine.update(backup.id, { note: 'disk full' }), { note: 'disk full', status: 'failed' })
  const lost = await useEngine(t, place).create()
  await rm(join(place.directory, lost.filename))
  t.match(await engine.update(lost.id, { pinned: true }), { pinned: true, available: false })
})

t.test('files that cannot be deleted do not stop other removals, and are logged once', async (t) => {
  const place = await useFilledPlace(t)
  const stuck = new Set<string>()
  const storage = storageWith(place.directory, {
    async remove (storage, name) {
      if (stuck.has(name)) throw Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'unlink' })
      await storage.remove(name)
    }
  })
  await createShop(place, 'tenant')
  const engine = useEngine(t, place, { maxBackups: 1, storage })
  const first = await engine.create()
  stuck.add(first.filename)
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, removed_at, has_file)
    VALUES (gen_random_uuid(), ${testSchema}, '../impossible', 'failed', 'manual', now(), now(), true)`
  const second = await engine.create()
  const third = await engine.create()
  await engine.create({ schema: 'tenant' })
  const tenant = await engine.create({ schema: 'tenant' })
  t.strictSame((await readdir(place.directory)).sort(), [first.filename, third.filename, tenant.filename].sort())
  t.strictSame(linesBesidesRuns(engine).map(({ msg, filename }) => [msg.slice(0, 27), filename]).sort(),
    [['the file of a backup cannot', '../impossible'], ['the file of a backup cannot', first.filename]])
  await place.sql`UPDATE backup_logs SET removed_at = removed_at - interval '2 minutes'`
  const [problem] = (await engine.status()).problems
  t.equal(problem?.code, 'file_undeletable')
  t.ok(problem?.message.startsWith('Files of removed backups cannot be deleted: '))
  stuck.clear()
  await engine.create()
  t.notOk((await readdir(place.directory)).includes(first.filename), 'every later run retries')
  t.equal(second.suspect, null)
})

t.test('the newest snapshot of each period is kept', async (t) => {
  const place = await useFilledPlace(t)
  const engine = useEngine(t, place, { maxBackups: 1, retention: { daily: 2 } })
  const made = [await engine.create()]
  await place.sql`UPDATE backup_logs SET inserted_at = inserted_at - interval '48 hours'`
  made.push(await engine.create(), await engine.create())
  t.strictSame(await idsOf(engine), [made[2]?.id, made[0]?.id])
})

t.test('a table with any name is compared', async (t) => {
  const place = { ...await useDatabase(t), directory: await useDirectory(t) }
  const name = '__proto__'
  await place.sql.unsafe(`CREATE TABLE ${quoteIdentifier(name)} AS SELECT generate_series(1, 200) AS i`)
  await place.sql.unsafe('CREATE TABLE "ä\'\\" ()')
  const engine = useEngine(t, place)
  await engine.create()
  await place.sql.unsafe(`DELETE FROM ${quoteIdentifier(name)}`)
  t.strictSame((await engine.create()).suspect?.[0], { table: name, rowsBefore: 200, rows: 0 })
})
