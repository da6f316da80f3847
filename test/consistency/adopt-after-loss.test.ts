import { createReadStream, existsSync } from 'node:fs'
import { copyFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { testSchema } from '../support/database.ts'
import { createShop, problemCodes, useEmptyDatabase, useEngine, usePlace } from '../support/engine.ts'
import { putMarker } from '../support/markers.ts'
import { createGate, storageWith } from '../support/storage-double.ts'

const guard = { minRows: 1 }

t.test('while the storage belongs to another log, backups, imports and restores are refused', async (t) => {
  const lost = await usePlace(t)
  const former = useEngine(t, lost)
  const { id, filename } = await former.create()
  const marker = await putMarker(lost, Date.now())
  const names = await readdir(lost.directory)
  const place = await useEmptyDatabase(t, lost)
  let lists = 0
  const storage = storageWith(place.directory, {
    async list (storage, prefix) {
      lists++
      return await storage.list(prefix)
    }
  })
  const taken = { code: 'FST_BACKUP_STORAGE_TAKEN', statusCode: 409 }
  const engine = useEngine(t, place, { storage })
  await t.rejects(engine.create(), taken)
  t.equal(lists, 1)
  await t.rejects(engine.import(createReadStream(join(place.directory, filename))), taken)
  await t.rejects(former.restore(id), taken)
  t.strictSame(await readdir(place.directory), names)
  t.strictSame((await engine.list()).backups, [])
  await rm(join(place.directory, marker))
  await engine.create()
  t.strictSame((await engine.list()).backups.length, 2)
  t.match(await engine.get(id), { available: true })
})

t.test('a service with an empty log adopts the stored snapshots first, for the guard', async (t) => {
  const lost = await usePlace(t)
  const former = useEngine(t, lost)
  const [first, second] = [await former.create(), await former.create()]
  await putMarker(lost, Date.now() - 4 * 60_000)
  const place = await useEmptyDatabase(t, lost)
  const engine = useEngine(t, place, { guard, maxBackups: 1 })
  // One of them may be refused because the other is running
  const creating = [engine.create(), engine.create()].map(async (call) => await call.catch((error) => error))
  const [backup, refused] = (await Promise.all(creating)).toSorted((a, b) => Number('code' in a) - Number('code' in b))
  t.match(backup.suspect.find(({ table }: { table: string }) => table === 'orders'), { rowsBefore: 3, rows: 0 })
  if ('code' in refused) t.equal(refused.code, 'FST_BACKUP_BUSY')
  t.match(await engine.get(first.id), { available: true, held: true })
  t.match(await engine.get(second.id), { available: true, held: true })
  t.strictSame(await problemCodes(engine), ['suspect_snapshot'])
})

t.test('so does an import; a failed adoption is retried by the next call', async (t) => {
  const lost = await usePlace(t)
  const { id, filename } = await useEngine(t, lost).create()
  const place = await useEmptyDatabase(t, lost)
  let failing = true
  const storage = storageWith(place.directory, {
    async list (storage, prefix) {
      if (failing && prefix === undefined) throw Object.assign(new Error('secret'), { code: 'EIO' })
      return await storage.list(prefix)
    }
  })
  const engine = useEngine(t, place, { storage })
  const path = join(place.directory, filename)
  await t.rejects(engine.import(createReadStream(path)), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.strictSame((await engine.list()).backups, [])
  failing = false
  await engine.import(createReadStream(path))
  t.strictSame((await engine.list()).backups.map(({ trigger }) => trigger), ['import', 'manual'])
  t.match(await engine.get(id), { available: true })
})

t.test('a running service adopts once, even if a backup is requested meanwhile', async (t) => {
  const lost = await usePlace(t)
  const { id } = await useEngine(t, lost).create()
  const place = await useEmptyDatabase(t, lost)
  const gate = createGate()
  const storage = storageWith(place.directory, {
    async open (storage, name, range) {
      await gate.pass()
      return await storage.open(name, range)
    }
  })
  const engine = useEngine(t, place, { storage, guard })
  engine.start()
  await gate.reached
  const created = engine.create()
  gate.open()
  t.ok((await created).suspect)
  t.strictSame((await engine.list()).backups.map((backup) => backup.id), [(await created).id, id])
  t.equal(engine.lines.filter(({ msg }) => msg === 'adoption of files completed').length, 1)
})

t.test('the status reports files without a row until they are adopted or removed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await engine.update(id, { pinned: true })
  t.strictSame((await engine.status()).problems, [])
  for (const name of ['a.json', 'b.json', 'c.json', 'd.json', 'e.json', 'f.json']) {
    await copyFile(join(place.directory, filename), join(place.directory, name))
  }
  const { healthy, problems: [problem, ...others] } = await engine.status()
  t.equal(healthy, false)
  t.match(problem, {
    code: 'files_unknown',
    message: /: a\.json, b\.json, c\.json, d\.json, e\.json and 1 more; adopt .* by a rescan/,
    since: null
  })
  t.strictSame(others, [])
  await rm(join(place.directory, 'a.json'))
  await engine.rescan()
  t.strictSame((await engine.status()).problems, [])
})

t.test('the status does not report files that are pruned meanwhile, or that belong to another service', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  await copyFile(join(place.directory, filename), join(place.directory, 'a.json'))
  let lists = 0
  const storage = storageWith(place.directory, {
    async list (storage, prefix) {
      if (++lists === 2) await rm(join(place.directory, 'a.json'))
      return await storage.list(prefix)
    }
  })
  t.strictSame(await problemCodes(useEngine(t, place, { storage })), [])
  t.notOk(existsSync(join(place.directory, 'a.json')))
  await copyFile(join(place.directory, filename), join(place.directory, 'a.json'))
  await putMarker(place, Date.now())
  t.strictSame(await problemCodes(engine), ['storage_taken'])
})

t.test('a caller who may use some schemas sees only files whose names contain one of these schemas', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'a.ä')
  const engine = useEngine(t, place, { schemas: ['a.ä'], schema: 'a.ä', logSchema: testSchema })
  const { filename } = await engine.create()
  const stamp = '2026-11-22T17-45-00-123Z.json'
  for (const name of [`a%2E%C3%A4_${stamp}`, `other_${stamp}`, 'b.json']) {
    await copyFile(join(place.directory, filename), join(place.directory, name))
  }
  const [problem] = (await engine.status()).problems
  t.match(problem, {
    code: 'files_unknown', message: `Files in the storage have no row in the log: a%2E%C3%A4_${stamp};`
  })
  t.match((await useEngine(t, place).status()).problems[0], { code: 'files_unknown', message: /, b\.json, other_/ })
})
