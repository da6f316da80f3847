import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { isMarkerName } from '../../lib/storage/marker.ts'
import { createShop, type Place, useEngine, usePlace } from '../support/engine.ts'
import { untilBlocked } from '../postgres/backends.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { testSchema } from '../support/database.ts'

/** All but markers. */
const filesOf = async ({ directory }: Place): Promise<string[]> => (await readdir(directory)).filter((name) => !isMarkerName(name))

/** The row of a run whose process died, and what it left in the directory. */
async function leaveDeadRun ({ sql, directory }: Place, { schema = testSchema, hasFile = true } = {}): Promise<string> {
  const id = randomUUID()
  const filename = `${schema}_${id}.json`
  await sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, progress, has_file)
    VALUES (${id}, ${schema}, ${filename}, 'running', 'manual', now() - interval '1 hour', '{"rows": 1}', ${hasFile})`
  await writeFile(join(directory, `.${id}.partial`), '')
  if (hasFile) await writeFile(join(directory, filename), '')
  return id
}

/** An engine whose healing on start can be waited for. */
async function startAndHeal (t: Parameters<typeof useEngine>[0], place: Place, until: () => Promise<boolean>): Promise<ReturnType<typeof useEngine>> {
  const engine = useEngine(t, place)
  engine.start()
  while (!await until());
  return engine
}

t.test('on start, a run whose process died becomes failed, and its file and its partial file go', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const good = await before.create()
  const dead = await leaveDeadRun(place)
  const unpublished = await leaveDeadRun(place, { schema: 'elsewhere', hasFile: false })
  const foreign = `.${randomUUID()}.partial`
  for (const name of [foreign, '.notes', `.${'-'.repeat(36)}.partial`]) await writeFile(join(place.directory, name), '')

  const settled = async (): Promise<boolean> => !(await readdir(place.directory)).some((name) => name.includes(dead) || name.includes(unpublished))
  const engine = await startAndHeal(t, place, settled)
  for (const id of [dead, unpublished]) {
    const backup = await engine.get(id)
    t.match(backup, { status: 'failed', error: /interrupted/, available: false })
    t.ok((backup.durationMs ?? -1) >= 0)
    t.ok(Date.parse(backup.finishedAt ?? '') >= Date.parse(backup.startedAt))
    t.notOk('progress' in backup)
  }
  t.match(await engine.get(good.id), { status: 'completed', available: true })
  t.strictSame((await filesOf(place)).sort(), [`.${'-'.repeat(36)}.partial`, foreign, '.notes', good.filename].sort(), 'what is not known to be dead stays')
  t.match((await engine.status()).running, [])
  t.strictSame(engine.lines, [])
})

t.test('a run that lives in another engine is not healed away', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const gate = createGate()
  const alive = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        await gate.pass()
        await storage.publish(spoolPath, name)
      }
    })
  })
  const { backup, finished } = await alive.beginCreate()
  await gate.reached
  const dead = await leaveDeadRun(place, { schema: 'tenant' })
  const other = await startAndHeal(t, place, async () => !(await readdir(place.directory)).some((name) => name.includes(dead)))
  t.match(await other.get(dead), { status: 'failed' })
  t.match(await other.get(backup.id), { status: 'running' })
  await access(join(place.directory, `.${backup.id}.partial`))
  gate.open()
  t.match(await finished, { status: 'completed', available: true })
})

t.test('a restore whose process died is noted as failed, and the snapshot can be restored again', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const { id } = await before.create()
  await place.sql`UPDATE backup_logs SET restore_schema = ${testSchema}, progress = '{}', restore = '{"status": "running", "startedAt": "2026-11-22T17:45:00.123Z", "finishedAt": null,
    "by": "ada", "preRestoreId": null, "error": null}' WHERE id = ${id}`
  const observer = useEngine(t, place)
  const engine = await startAndHeal(t, place, async () => (await observer.get(id)).restore?.status === 'failed')
  t.match(await engine.get(id), { status: 'completed', restore: { status: 'failed', by: 'ada', error: /interrupted/, finishedAt: /^\d{4}-.*Z$/ } })
  await engine.restore(id)
})

t.test('healing is in nobody\'s way: a backup that begins just then is not told that the schema is busy', async (t) => {
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

t.test('a removal that was begun is ended', async (t) => {
  const place = await usePlace(t)
  const before = useEngine(t, place)
  const { filename } = await before.create()
  const kept = await before.create()
  await place.sql`UPDATE backup_logs SET removed_at = now() WHERE filename = ${filename}`
  await startAndHeal(t, place, async () => (await place.sql`SELECT FROM backup_logs`).length === 1)
  t.strictSame(await filesOf(place), [kept.filename])
})

t.test('what an import that was killed has left goes after a day', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  const [old, young] = [join(place.directory, `.${randomUUID()}.partial`), join(place.directory, `.${randomUUID()}.partial`)]
  for (const path of [old, young]) await writeFile(path, '')
  const yesterday = new Date(Date.now() - 25 * 60 * 60_000)
  await utimes(old, yesterday, yesterday)
  await engine.create()
  t.equal(existsSync(old), false)
  t.equal(existsSync(young), true)
})
