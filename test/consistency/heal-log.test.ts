import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { schemaKey } from '../../lib/postgres/locks.ts'
import { isMarkerName } from '../../lib/storage/marker.ts'
import { createShop, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { untilBlocked } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { createGate, storageBehind } from '../support/storage-double.ts'
import { testSchema, type TestScope, useDatabase } from '../support/database.ts'

/** All files except markers. */
const filesOf = async ({ directory }: Place): Promise<string[]> =>
  (await readdir(directory)).filter((name) => !isMarkerName(name))

/** Inserts the row of a run whose process died, and writes the files that the run left in the directory. */
async function leaveDeadRun (
  { sql, directory }: Place, { schema = testSchema, hasFile = true } = {}
): Promise<string> {
  const id = randomUUID()
  const filename = `${schema}_${id}.json`
  await sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, progress, has_file)
    VALUES (${id}, ${schema}, ${filename}, 'running', 'manual', now() - interval '1 hour', '{"rows": 1}', ${hasFile})`
  await writeFile(join(directory, `.${id}.partial`), '')
  if (hasFile) await writeFile(join(directory, filename), '')
  return id
}

/** Starts an engine, and resolves when it has healed the log. */
async function startAndHeal (t: TestScope, place: Place, isHealed: () => Promise<boolean>): Promise<TestEngine> {
  const engine = useEngine(t, place)
  engine.start()
  await until(isHealed)
  return engine
}

t.test('on start, a run whose process died is marked as failed, and its files are removed', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const good = await before.create()
  const dead = await leaveDeadRun(place)
  const unpublished = await leaveDeadRun(place, { schema: 'elsewhere', hasFile: false })
  const foreign = `.${randomUUID()}.partial`
  const others = [foreign, '.notes', `.${'-'.repeat(36)}.partial`]
  for (const name of others) await writeFile(join(place.directory, name), '')

  const engine = await startAndHeal(t, place, async () => {
    return !(await readdir(place.directory)).some((name) => name.includes(dead) || name.includes(unpublished))
  })
  for (const id of [dead, unpublished]) {
    const backup = await engine.get(id)
    t.match(backup, { status: 'failed', error: /interrupted/, available: false })
    t.ok((backup.durationMs ?? -1) >= 0)
    t.ok(Date.parse(backup.finishedAt ?? '') >= Date.parse(backup.startedAt))
    t.notOk('progress' in backup)
  }
  t.match(await engine.get(good.id), { status: 'completed', available: true })
  t.strictSame((await filesOf(place)).sort(), [...others, good.filename].sort(), 'other files are kept')
  t.strictSame((await engine.status()).running, [])
  t.strictSame(engine.lines, [])
})

t.test('healing does not touch a run in progress in another engine', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const gate = createGate()
  const alive = useEngine(t, place, {
    storage: storageBehind(place.directory, gate)
  })
  const { backup, finished } = await alive.beginCreate()
  await gate.reached
  const dead = await leaveDeadRun(place, { schema: 'tenant' })
  const other = await startAndHeal(t, place, async () => {
    return !(await readdir(place.directory)).some((name) => name.includes(dead))
  })
  t.match(await other.get(dead), { status: 'failed' })
  t.match(await other.get(backup.id), { status: 'running' })
  await access(join(place.directory, `.${backup.id}.partial`))
  gate.open()
  t.match(await finished, { status: 'completed', available: true })
})

t.test('a run of the same schema in another database does not keep a dead run alive', async (t) => {
  const place = await usePlace(t)
  const { sql } = await useDatabase(t)
  const session = await sql.reserve()
  t.after(async () => { session.release() })
  await session`SELECT pg_advisory_lock(${schemaKey(testSchema)}::text::int8)`
  const observer = useEngine(t, place)
  await observer.list()
  const dead = await leaveDeadRun(place)
  await startAndHeal(t, place, async () => (await observer.get(dead)).status === 'failed')
  t.match(await observer.get(dead), { status: 'failed', error: /interrupted/ })
})

t.test('a restore whose process died is marked as failed, and the snapshot can be restored again', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const { id } = await before.create()
  await place.sql`UPDATE backup_logs SET restores = ${place.sql.json([{
    status: 'running',
    schema: testSchema,
    startedAt: '2026-11-22T17:45:00.123Z',
    finishedAt: null,
    by: 'ada',
    preRestoreId: null,
    error: null,
    errorCode: null,
    progress: {}
  }])} WHERE id = ${id}`
  const observer = useEngine(t, place)
  const engine = await startAndHeal(t, place, async () => (await observer.get(id)).restore?.status === 'failed')
  const { status, restore, progress } = await engine.get(id)
  t.equal(status, 'completed')
  t.match(restore, {
    status: 'failed',
    by: 'ada',
    error: /interrupted/,
    errorCode: 'FST_BACKUP_ABORTED',
    finishedAt: /^\d{4}-.*Z$/,
    progress: undefined
  })
  t.equal(progress, undefined)
  await engine.restore(id)
})

t.test('healing does not block a backup that begins at the same time', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  const { finished } = await place.sql.begin(async (tx) => {
    const dead = await leaveDeadRun(place)
    // Healing waits for the row in the middle of its work
    await tx`SELECT FROM backup_logs WHERE id = ${dead} FOR UPDATE`
    useEngine(t, place).start()
    await untilBlocked(place.sql)
    return await engine.beginCreate()
  })
  t.match(await finished, { status: 'completed' })
})

t.test('an interrupted removal is completed', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const { filename } = await before.create()
  const kept = await before.create()
  await place.sql`UPDATE backup_logs SET removed_at = now() WHERE filename = ${filename}`
  await startAndHeal(t, place, async () => (await place.sql`SELECT FROM backup_logs`).length === 1)
  t.strictSame(await filesOf(place), [kept.filename])
})

t.test('the partial file of a killed import is removed after a day', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  const old = join(place.directory, `.${randomUUID()}.partial`)
  const young = join(place.directory, `.${randomUUID()}.partial`)
  for (const path of [old, young]) await writeFile(path, '')
  const yesterday = new Date(Date.now() - 25 * 60 * 60_000)
  await utimes(old, yesterday, yesterday)
  await engine.create()
  t.equal(existsSync(old), false)
  t.equal(existsSync(young), true)
})
