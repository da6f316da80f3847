import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createReadStream } from 'node:fs'
import t, { type Test } from 'tap'
import type { BackupOptions, StatusQuery } from '../../types/index.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, problemCodes, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'

/** An engine with a started schedule, whose clock does not advance. */
function useScheduled (
  t: Test, place: Pick<Place, 'url' | 'directory'>, schedule: NonNullable<BackupOptions['schedule']> = {}
): TestEngine {
  const options = { schedule: { enabled: true, cron: '0 */1 * * *', ...schedule } }
  const engine = useEngine(t, place, options, createManualClock(new Date().toISOString()))
  engine.start()
  return engine
}

t.test('while the database is down, the status reports what is known without it', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  await proxy.refuse()
  const engine = useScheduled(t, { ...place, url: proxy.url }, { schemas: async () => { throw new TypeError('no') } })
  const status = await engine.status()
  t.match(status, { healthy: false, allowRestore: true, nextRunAt: /^\d{4}-/ })
  t.strictSame(status.problems.map(({ code }) => code), ['database_unavailable', 'schemas_unknown'])
  t.strictSame([status.running, status.newest, status.newestNext, status.bytesHeld], [[], [], null, null])
  await proxy.accept()
  t.strictSame(await problemCodes(engine), ['schemas_unknown'])
})

t.test('a log table of another application is unusable', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE backup_logs (x int)`
  t.strictSame(await problemCodes(useEngine(t, place)), ['log_unusable'])
})

t.test('a scheduled schema does not exist, and another has an old snapshot', async (t) => {
  const place = await usePlace(t)
  const engine = useScheduled(t, place, { schemas: [testSchema, 'missing'] })
  await engine.create()
  t.strictSame(await problemCodes(engine), ['schema_missing'])
  await place.sql`UPDATE backup_logs SET started_at = now() - interval '2 days'`
  t.strictSame(await problemCodes(engine), ['schema_missing', 'snapshot_too_old'])
})

t.test('missing files are reported, and the bytes of the existing ones', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const [gone, kept] = [await engine.create(), await engine.create()]
  await rm(join(place.directory, gone.filename))
  const { bytesHeld, problems } = await engine.status()
  t.equal(bytesHeld, kept.sizeBytes)
  t.match(problems[0], { code: 'files_missing', message: new RegExp(gone.filename) })
})

t.test('a file that appears between the reading of the storage and of the log is not missing', async (t) => {
  const place = await usePlace(t)
  let isStale = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async list (storage, prefix) {
        if (!isStale) return await storage.list(prefix)
        isStale = false
        return []
      }
    })
  })
  const { id } = await engine.create()
  isStale = true
  const { problems, newest: [newest] } = await engine.status()
  t.strictSame(problems, [])
  t.match(newest, { id, available: true })
})

t.test('a failed run is reported since the first failure, and an import does not end it', async (t) => {
  const place = await usePlace(t)
  let failing = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        if (failing) throw new Error('no')
        await storage.publish(spoolPath, name)
      }
    })
  })
  const { filename } = await engine.create()
  failing = true
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  failing = false
  const { backups } = await engine.list({ status: 'failed' })
  await engine.import(createReadStream(join(place.directory, filename)))
  const since = backups[1]?.startedAt ?? ''
  const [problem] = (await engine.status()).problems
  t.match(problem, { code: 'run_failed', message: /The storage failed to publish/, since })
  await engine.create()
  t.strictSame(await problemCodes(engine), [])
})

t.test('the status reports a clock that differs, and a snapshot in the future', async (t) => {
  const place = await usePlace(t)
  const ahead = useEngine(t, place, {}, createManualClock(new Date(Date.now() + 10 * 60_000).toISOString()))
  await ahead.create()
  t.strictSame(await problemCodes(ahead), ['clock_differs', 'snapshot_in_future'])
  t.strictSame(await problemCodes(useEngine(t, place)), ['snapshot_in_future'])
  const behind = useEngine(t, place, {}, createManualClock(new Date(Date.now() - 10 * 60_000).toISOString()))
  t.match((await behind.status()).problems[0], { code: 'clock_differs', message: /behind/ })
})

t.test('the newest snapshots are listed in pages, or for one schema', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  for (const schema of ['Zoo', 'aa', 'ab']) await createShop(place, schema)
  for (const schema of ['ab', 'Zoo', 'aa', 'aa']) await engine.create({ schema })
  const page = async (query: StatusQuery): Promise<[string[], string | null]> => {
    const { newest, newestNext } = await engine.status(query)
    return [newest.map(({ schema }) => schema), newestNext]
  }
  t.strictSame(await page({ limit: 2 }), [['Zoo', 'aa'], 'aa'])
  t.strictSame(await page({ limit: 2, after: 'aa' }), [['ab'], null])
  t.strictSame(await page({ limit: 1, after: '' }), [['Zoo'], 'Zoo'])
  t.strictSame(await page({ limit: 3 }), [['Zoo', 'aa', 'ab'], null])
  t.strictSame(await page({ schema: 'ab' }), [['ab'], null])
  for (const query of [{ limit: 0 }, { after: 5 }, { schemas: 'x' }]) {
    await t.rejects(engine.status(query as StatusQuery), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  }
})
