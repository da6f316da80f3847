import { createReadStream } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as prometheus from 'prom-client'
import t from 'tap'
import { registerMetrics } from '../../lib/metrics/register-metrics.ts'
import type { BackupMetrics, BackupService } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { createShop, useEngine, usePlace } from '../support/engine.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { until } from '../support/until.ts'

type Registry = prometheus.Registry

/** The samples of a scrape, by name and labels. */
async function scrape (registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => {
    const end = line.lastIndexOf(' ')
    return [line.slice(0, end).replace(/^fastify_backup_/, ''), Number(line.slice(end + 1))]
  }))
}

function register (backup: Pick<BackupService, 'metrics'>, timeoutMs?: number): Registry {
  const registry = new prometheus.Registry()
  registerMetrics(backup, prometheus, { registry, ...timeoutMs !== undefined && { timeoutMs } })
  return registry
}

const epoch = (time: string | null | undefined): number => Date.parse(time ?? '') / 1000

t.test('a scrape reads the metrics of all replicas from the log', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  const registry = register(useEngine(t, place).forCaller(() => true))
  t.strictSame(await scrape(registry), { up: 1 }, 'an empty log')

  const made = await engine.create()
  await engine.verify(made.id)
  const other = await engine.create({ schema: 'tenant' })
  await until(async () => (await engine.metrics()).schemas[0]?.lastVerifiedAt !== null)
  const samples = await scrape(registry)
  const verifiedAt = (await engine.metrics()).schemas[0]?.lastVerifiedAt
  t.strictSame(samples, {
    up: 1,
    [`last_success_timestamp_seconds{schema="${testSchema}"}`]: epoch(made.finishedAt),
    'last_success_timestamp_seconds{schema="tenant"}': epoch(other.finishedAt),
    [`last_run_success{schema="${testSchema}"}`]: 1,
    'last_run_success{schema="tenant"}': 1,
    [`last_duration_seconds{schema="${testSchema}"}`]: Number(made.durationMs) / 1000,
    'last_duration_seconds{schema="tenant"}': Number(other.durationMs) / 1000,
    [`last_size_bytes{schema="${testSchema}"}`]: made.sizeBytes,
    'last_size_bytes{schema="tenant"}': other.sizeBytes,
    [`last_rows{schema="${testSchema}"}`]: 5,
    'last_rows{schema="tenant"}': 5,
    [`last_verified_timestamp_seconds{schema="${testSchema}"}`]: epoch(verifiedAt),
    [`stored_bytes{schema="${testSchema}"}`]: made.sizeBytes,
    'stored_bytes{schema="tenant"}': other.sizeBytes,
    [`suspects{schema="${testSchema}"}`]: 0,
    'suspects{schema="tenant"}': 0,
    [`runs_total{schema="${testSchema}",trigger="manual",result="completed"}`]: 1,
    'runs_total{schema="tenant",trigger="manual",result="completed"}': 1
  })
})

t.test('a failed run and a suspect snapshot show', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { guard: { minRows: 1 } })
  const registry = register(engine)
  await engine.create()
  await place.sql`DELETE FROM orders`
  await engine.create()
  t.equal((await scrape(registry))[`suspects{schema="${testSchema}"}`], 1)
  const { backups: [newest] } = await engine.list()
  await place.sql`UPDATE backup_logs SET status = 'failed' WHERE id = ${newest?.id ?? ''}`
  const samples = await scrape(registry)
  t.equal(samples[`last_run_success{schema="${testSchema}"}`], 0)
  t.equal(samples[`suspects{schema="${testSchema}"}`], 0)
})

t.test('the number of runs never decreases, whatever retention and removals delete', async (t) => {
  const place = await usePlace(t)
  const [one, two] = [useEngine(t, place, { maxBackups: 1 }), useEngine(t, place, { maxBackups: 1 })]
  const runs = async (): Promise<BackupMetrics['runs']> => (await one.metrics()).runs
  const total = (count: number): BackupMetrics['runs'] =>
    [{ schema: testSchema, trigger: 'manual', result: 'completed', count }]
  for (let count = 1; count <= 4; count++) {
    await (count % 2 === 0 ? one : two).create()
    t.strictSame(await runs(), total(count))
  }
  t.ok((await one.list()).backups.length < 4)
  await one.create()
  await Promise.allSettled([one.prune(), two.prune()])
  const { backups } = await one.list()
  await Promise.allSettled(backups.slice(1).map(async ({ id }, index) => { await [one, two][index % 2]?.remove(id) }))
  t.strictSame(await runs(), total(5))
  const [last] = backups
  await one.remove(last?.id ?? '')
  t.strictSame(await runs(), [], 'the series of a schema end with its last row')
  await one.create()
  t.strictSame(await runs(), total(1))
})

t.test('a dead run counts as failed; restores and adoptions change only the count of pre_restore', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const counts = async (): Promise<Array<[kind: string, count: number]>> =>
    (await engine.metrics()).runs.map(({ trigger, result, count }) => [`${trigger} ${result}`, count])
  await engine.create()
  await place.sql`UPDATE backup_logs SET status = 'running', size_bytes = NULL, checksum = NULL`
  t.strictSame(await counts(), [])
  const { id, filename } = await engine.create()
  t.strictSame(await counts(), [['manual completed', 1], ['manual failed', 1]])
  await engine.restore(id)
  await engine.restore(id)
  const after = [['manual completed', 1], ['manual failed', 1], ['pre_restore completed', 2]]
  t.strictSame(await counts(), after)
  await copyFile(join(place.directory, filename), join(place.directory, 'copy.json'))
  t.equal((await engine.rescan()).adopted.length, 1)
  t.strictSame(await counts(), after)
})

t.test('a row that stays for its slot is counted once, before and after it is deleted', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const rows = async (): Promise<number> => (await place.sql`SELECT FROM backup_logs`).length
  const created = async (): Promise<unknown> => (await engine.metrics()).runs.map(({ count }) => count)
  await engine.create()
  await place.sql`UPDATE backup_logs SET slot = now()`
  await engine.create()
  t.equal(await rows(), 2)
  t.strictSame(await created(), [2])
  await place.sql`UPDATE backup_logs SET slot = now() + interval '1 hour' WHERE slot IS NULL`
  await engine.create()
  t.strictSame(await created(), [3])
  await engine.create()
  t.equal(await rows(), 2)
  t.strictSame(await created(), [4])
})

t.test('the last backup is one of a caller or the schedule, and stored bytes are those of present files', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const made = await engine.create()
  const { preRestoreId } = await engine.restore(made.id)
  const path = join(place.directory, made.filename)
  const imported = await engine.import(createReadStream(path))
  const preRestore = await engine.get(preRestoreId)
  const metrics = async (): Promise<unknown> => (await engine.metrics()).schemas.map(
    ({ lastSuccessAt, lastDurationMs, storedBytes }) => [lastSuccessAt, lastDurationMs, storedBytes])
  const bytes = [preRestore, imported].reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0)
  t.strictSame(await metrics(), [[made.finishedAt, made.durationMs, made.sizeBytes + bytes]])
  await rm(path)
  await engine.rescan()
  t.strictSame(await metrics(), [[made.finishedAt, made.durationMs, bytes]])
})

t.test('adopted snapshots are no runs', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  await place.sql`DELETE FROM backup_logs`
  await engine.rescan()
  t.strictSame((await engine.metrics()).runs, [])
})

t.test('the next slot comes from the schedule', async (t) => {
  const place = await usePlace(t)
  const clock = createManualClock('2026-11-27T10:01:00.000Z')
  const engine = useEngine(t, place, { schedule: { enabled: true, cron: '*/5 * * * *' } }, clock)
  const registry = register(engine)
  t.equal((await scrape(registry))['next_slot_timestamp_seconds'], undefined)
  engine.start()
  t.equal((await scrape(registry))['next_slot_timestamp_seconds'], epoch('2026-11-27T10:05:00.000Z'))
})

t.test('callers see the metrics of their schemas only', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const engine = useEngine(t, place)
  await engine.create()
  await engine.create({ schema: 'tenant' })
  const { schemas, runs } = await engine.forCaller((schema) => schema === 'tenant').metrics()
  t.strictSame(schemas.map(({ schema }) => schema), ['tenant'])
  t.strictSame(runs.map(({ schema }) => schema), ['tenant'])
})

const some: BackupMetrics = {
  schemas: [],
  runs: [{ schema: 'a', trigger: 'scheduled', result: 'failed', count: 7 }],
  nextSlotAt: '1970-01-01T00:00:09Z'
}

/** A service whose log fails when `fails` says so. */
function useMetrics (): {
  registry: Registry
  calls: () => number
  answer: (next: () => Promise<BackupMetrics>) => void
} {
  let next = async (): Promise<BackupMetrics> => some
  let calls = 0
  const registry = register({
    async metrics () {
      calls++
      return await next()
    }
  }, 20)
  return { registry, calls: () => calls, answer: (other) => { next = other } }
}

t.test('a scrape without a database succeeds, with up = 0 and nothing else, and reads the log once', async (t) => {
  const { registry, calls, answer } = useMetrics()
  const all = { up: 1, next_slot_timestamp_seconds: 9, 'runs_total{schema="a",trigger="scheduled",result="failed"}': 7 }
  t.strictSame(await scrape(registry), all)
  t.equal(calls(), 1)
  const unknown = {
    lastSuccessAt: null,
    lastDurationMs: null,
    lastSizeBytes: null,
    lastRows: null,
    lastRunSucceeded: null,
    lastVerifiedAt: null
  }
  answer(async () => ({ ...some, schemas: [{ schema: 'a', ...unknown, storedBytes: 0, suspects: 0 }] }))
  t.strictSame(await scrape(registry), { ...all, 'stored_bytes{schema="a"}': 0, 'suspects{schema="a"}': 0 })
  answer(async () => some)
  t.strictSame(await scrape(registry), all, 'counters are not added up')
  answer(async () => { throw new Error('down') })
  t.strictSame(await scrape(registry), { up: 0 })
  let respond = (_metrics: BackupMetrics): void => {}
  answer(async () => await new Promise((resolve) => { respond = resolve }))
  const before = calls()
  t.strictSame(await scrape(registry), { up: 0 }, 'a database that does not answer')
  t.strictSame(await scrape(registry), { up: 0 })
  t.equal(calls(), before + 1, 'is asked once')
  respond(some)
  answer(async () => ({ ...some, nextSlotAt: null }))
  await until(async () => (await scrape(registry))['up'] === 1)
  t.equal((await scrape(registry))['next_slot_timestamp_seconds'], undefined)
})

t.test('names of schemas are escaped', async (t) => {
  const place = await usePlace(t)
  const names = ['a"b\\c\nd', 'x'.repeat(63), '%s{}', 'ü,schema="b"']
  for (const name of names) await createShop(place, name)
  const engine = useEngine(t, place)
  for (const schema of names) await engine.create({ schema })
  const samples = await scrape(register(engine))
  const label = (name: string): string => JSON.stringify(name)
  t.strictSame(Object.keys(samples).filter((name) => name.startsWith('suspects')).sort(),
    names.map((name) => `suspects{schema=${label(name)}}`).sort())
})

t.test('the prefix and the registry of the client are defaults', async (t) => {
  t.after(async () => { prometheus.register.clear() })
  const metrics = async (): Promise<BackupMetrics> => ({ schemas: [], runs: [], nextSlotAt: null })
  registerMetrics({ metrics }, prometheus)
  t.match(await prometheus.register.metrics(), /^fastify_backup_up 1$/m)
  registerMetrics({ metrics }, prometheus, { prefix: 'shop_' })
  t.match(await prometheus.register.metrics(), /^shop_up 1$/m)
})
