import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { testSchema } from '../support/database.ts'
import { linesBesidesRuns, problemCodes, useEngine, usePlace } from '../support/engine.ts'
import { storageWith } from '../support/storage-double.ts'

t.test('a damaged file leaves a mark until a later verification finds it intact', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const good = await engine.create()
  t.equal(good.verification, null)
  const intact = await engine.verify(good.id)
  const verified = (await engine.get(good.id)).verification
  t.strictSame(verified, { ...intact, at: verified?.at })
  t.ok(Number.isFinite(Date.parse(verified?.at ?? '')))

  await engine.update(good.id, { pinned: true })
  const newest = await engine.create()
  const path = join(place.directory, newest.filename)
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, -10))
  const { problems } = await engine.verify(newest.id)
  t.strictSame((await engine.get(newest.id)).verification?.problems, problems)
  const status = await engine.status()
  const [problem] = status.problems
  t.equal(problem?.code, 'snapshot_damaged')
  t.strictSame([problem?.backupIds, problem?.schemas], [[newest.id], [testSchema]])
  t.strictSame(status.newest.map(({ id }) => id), [newest.id])
  t.strictSame(status.newestGood.map(({ schema, backup }) => [schema, backup?.id]), [[testSchema, good.id]])
  await engine.update(good.id, { pinned: false })
  t.strictSame(await engine.prune(), [], 'a damaged snapshot does not replace the good one')

  await writeFile(path, bytes)
  await engine.verify(newest.id)
  t.strictSame(await problemCodes(engine), [])
  t.strictSame((await engine.status()).newestGood.map(({ backup }) => backup?.id), [newest.id])
})

t.test('a restore that finds the file damaged marks it; a schema without a good snapshot is visible', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  await writeFile(path, (await readFile(path, 'utf8')).replaceAll('Ada', 'Eve'))
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  t.equal((await engine.get(id)).verification?.ok, false)
  t.strictSame((await engine.status()).newestGood, [{ schema: testSchema, backup: null }])
})

t.test('a restore that accepts a modified file does not mark it, since the caller knows', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  await writeFile(path, (await readFile(path, 'utf8')).replace('"Ada"', '17'))
  await t.rejects(engine.restore(id, { allowModified: true }), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  t.equal((await engine.get(id)).verification, null)
})

t.test('no snapshot is called good while the storage cannot be listed', async (t) => {
  const place = await usePlace(t)
  const { id } = await useEngine(t, place).create()
  const storage = storageWith(place.directory, { list: async () => { throw new Error('offline') } })
  const { newest, newestGood } = await useEngine(t, place, { storage }).status()
  t.strictSame([newest.map((backup) => backup.id), newestGood], [[id], []])
})

t.test('a verification that cannot be recorded has its result all the same, and a warning says so', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.unsafe(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'refused'; END$$;
    CREATE TRIGGER refuse BEFORE UPDATE OF verification ON backup_logs EXECUTE FUNCTION refuse()`)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })
  t.match(linesBesidesRuns(engine).at(-1), {
    level: 40, id, ok: true, msg: 'the result of a verification could not be recorded; verify the snapshot again'
  })
  t.equal((await engine.get(id)).verification, null)
})
