import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { BackupOptions, ScheduleOptions } from '../../types/index.ts'
import { cancelBlocked, untilBlocked } from '../support/backends.ts'
import { until } from '../support/until.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import {
  createShop, type LogLine, type Place, type TestEngine, useEngine, usePlace, linesBesidesRuns
} from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'

const hour = 60 * 60_000
const hourly = '0 */1 * * *'
const daily = '0 0 * * *'

interface Replica { engine: TestEngine, clock: ManualClock }

/** An engine with an hourly schedule. Its clock shows half past ten, unless the test passes another time. */
function useReplica (
  t: Test,
  place: Pick<Place, 'url' | 'directory'>,
  schedule: ScheduleOptions = {},
  options: BackupOptions = {},
  iso = '2026-11-22T10:30:00.000Z'
): Replica {
  const clock = createManualClock(iso)
  const scheduled = { schedule: { enabled: true, cron: hourly, ...schedule }, ...options }
  return { clock, engine: useEngine(t, place, scheduled, clock) }
}

/** Lets `ms` milliseconds pass, and resolves when the scheduler is idle again. */
async function pass ({ clock }: Replica, ms: number): Promise<void> {
  await waiting(clock)
  await clock.advance(ms)
  await waiting(clock)
}

/** Resolves when the engine is idle: its two scheduler loops and its storage keeper wait for the clock. */
async function waiting (clock: ManualClock): Promise<void> {
  await until(() => clock.waiting() >= 3)
}

interface SlotRow { schema: string, slot: string | null, status: string }

const slotsOf = async ({ sql }: Place): Promise<SlotRow[]> => [...await sql<SlotRow[]>`
  SELECT schema, to_char(slot AT TIME ZONE 'UTC', 'HH24:MI') AS slot, status FROM backup_logs
  WHERE trigger = 'scheduled' AND removed_at IS NULL ORDER BY started_at, id`]
const at = (slot: string | null, status = 'completed', schema = testSchema): SlotRow => ({ schema, slot, status })

t.test('two replicas make one backup per slot and schema', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const replicas = [
    useReplica(t, place, { schemas: async () => [testSchema, 'tenant'] }),
    useReplica(t, place, { schemas: [testSchema, 'tenant'] })
  ]
  for (const { engine } of replicas) engine.start()
  for (let slot = 0; slot < 3; slot++) {
    await Promise.all(replicas.map(async (replica) => { await pass(replica, hour) }))
  }
  t.strictSame((await slotsOf(place)).map(({ schema, slot }) => `${slot} ${schema}`).sort(),
    ['11:00', '12:00', '13:00'].flatMap((slot) => [`${slot} ${testSchema}`, `${slot} tenant`]).sort())
  const { backups: [newest] } = await replicas[0]?.engine.list() ?? { backups: [] }
  t.match(newest, { trigger: 'scheduled', cron: hourly, createdBy: null, status: 'completed' })
  t.match(await replicas[0]?.engine.status(), { nextRunAt: '2026-11-22T14:00:00.000Z' })
})

t.test('a replica that is minutes late finds the slot taken', async (t) => {
  const place = await usePlace(t)
  const [first, second] = [useReplica(t, place), useReplica(t, place)]
  first.engine.start()
  second.engine.start()
  await waiting(second.clock)
  await pass(first, hour)
  await pass(second, hour + 10 * 60_000)
  t.strictSame(await slotsOf(place), [at('11:00')])
  t.strictSame(linesBesidesRuns(second.engine), [])
})

t.test('a replica whose clock is far ahead does not take the slots of the others', async (t) => {
  const place = await usePlace(t)
  const ahead = useReplica(t, place, {}, {}, '2026-11-25T10:30:00.000Z')
  ahead.engine.start()
  await pass(ahead, hour)
  await ahead.engine.stop()
  const first = useReplica(t, place)
  first.engine.start()
  await pass(first, hour)
  await pass(first, hour)
  const times = async (): Promise<Array<string | null>> => (await slotsOf(place)).map(({ slot }) => slot)
  t.strictSame(await times(), ['11:00', '12:00', '11:00'], 'the last one is that of the 25th')
  await first.engine.stop()
  const second = useReplica(t, place, {}, {}, '2026-11-22T14:10:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await times(), ['11:00', '12:00', '14:00', '11:00'], 'a restart runs the missed slot')
})

t.test('the first start of all runs no past slot; a later start runs a missed slot once', async (t) => {
  const place = await usePlace(t)
  const first = useReplica(t, place)
  first.engine.start()
  await waiting(first.clock)
  t.strictSame(await slotsOf(place), [])
  await pass(first, hour)
  await first.engine.stop()

  const second = useReplica(t, place, {}, {}, '2026-11-22T15:10:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [at('11:00'), at('15:00')])
  await second.engine.stop()

  const third = useReplica(t, place, {}, {}, '2026-11-22T15:20:00.000Z')
  third.engine.start()
  await waiting(third.clock)
  t.strictSame(await slotsOf(place), [at('11:00'), at('15:00')], 'a restart repeats no slot')
})

t.test('a restart does not repeat a slot whose backup was deleted', async (t) => {
  const place = await usePlace(t)
  const first = useReplica(t, place)
  first.engine.start()
  await pass(first, hour)
  const { backups: [backup] } = await first.engine.list()
  await first.engine.remove(backup?.id ?? '')
  await first.engine.stop()
  const second = useReplica(t, place, {}, {}, '2026-11-22T11:40:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [])
  t.strictSame((await second.engine.list()).backups, [])
  await pass(second, hour)
  t.strictSame(await slotsOf(place), [at('12:00')])
  t.equal((await place.sql`SELECT FROM backup_logs`).length, 1, 'the next run deletes the row that kept the slot')
})

t.test('a restart does not repeat the newest slot when only its backup was deleted', async (t) => {
  const place = await usePlace(t)
  const first = useReplica(t, place)
  first.engine.start()
  await pass(first, hour)
  await pass(first, hour)
  const { backups: [newest] } = await first.engine.list()
  await first.engine.remove(newest?.id ?? '')
  await first.engine.stop()
  const second = useReplica(t, place, {}, {}, '2026-11-22T12:40:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [at('11:00')])
})

t.test('a scheduled run with a permanent failure keeps its slot', async (t) => {
  const place = { ...await useDatabase(t, { encoding: 'SQL_ASCII' }), directory: await useDirectory(t) }
  await createShop(place, testSchema)
  await place.sql`INSERT INTO users (name) SELECT convert_from('\\xff', 'SQL_ASCII')`
  const replica = useReplica(t, place)
  replica.engine.start()
  await pass(replica, hour)
  t.strictSame(await slotsOf(place), [at('11:00', 'failed')])
  t.equal(linesBesidesRuns(replica.engine).length, 1)
  t.match(linesBesidesRuns(replica.engine)[0], {
    level: 50, schema: testSchema, slot: '2026-11-22T11:00:00.000Z', reason: /No complete snapshot/, retry: false
  })
  await pass(replica, 20 * 60_000)
  t.strictSame(await slotsOf(place), [at('11:00', 'failed')])
  await replica.engine.stop()
  const next = useReplica(t, place, {}, {}, '2026-11-22T11:50:00.000Z')
  next.engine.start()
  await waiting(next.clock)
  t.strictSame(await slotsOf(place), [at('11:00', 'failed')])
})

t.test('a backup that fails because a table is locked is retried', async (t) => {
  const place = await usePlace(t)
  const replica = useReplica(t, place)
  replica.engine.start()
  await waiting(replica.clock)
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE users IN ACCESS EXCLUSIVE MODE`
    await replica.clock.advance(hour / 2)
    // A run makes six attempts
    await cancelBlocked(place.sql, 6)
    await waiting(replica.clock)
  })
  t.strictSame(await slotsOf(place), [at(null, 'failed')])
  t.equal(linesBesidesRuns(replica.engine).length, 1)
  t.match(linesBesidesRuns(replica.engine)[0], {
    level: 50, slot: '2026-11-22T11:00:00.000Z', reason: /could not be locked in time/, retry: true
  })
  await pass(replica, 20_000)
  t.strictSame(await slotsOf(place), [at(null, 'failed'), at('11:00')])
  t.match(linesBesidesRuns(replica.engine).at(-1), { level: 30, failures: 1, msg: /has succeeded after failures/ })
})

t.test('while the storage fails, attempts become rarer; then two replicas make one backup', async (t) => {
  const place = await usePlace(t)
  let failing = true
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      if (failing) throw new Error('no')
      await storage.publish(spoolPath, name)
    }
  })
  const replicas = [
    useReplica(t, place, { cron: daily }, { storage }), useReplica(t, place, { cron: daily }, { storage })
  ]
  for (const { engine } of replicas) engine.start()
  const [first] = replicas
  if (first === undefined) return t.fail()
  await Promise.all(replicas.map(async ({ clock }) => { await waiting(clock) }))
  for (const { clock } of replicas) await clock.set('2026-11-23T00:00:00.000Z')
  for (let minutes = 0; minutes < 120; minutes += 2) await pass(first, 2 * 60_000)
  const attempts = first.engine.events.filter(([name]) => name === 'backup:failed').length
  t.ok(attempts >= 12 && attempts <= 18, `${attempts} attempts in two hours`)
  await pass(first, 10 * 60_000)
  await Promise.all(replicas.map(async ({ clock }) => { await waiting(clock) }))
  t.strictSame(await slotsOf(place), [at(null, 'failed'), at(null, 'failed')], 'the first one and the newest')
  const failures = replicas.flatMap(({ engine }) => engine.events.filter(([name]) => name === 'backup:failed'))
  t.strictSame((await first.engine.metrics()).runs,
    [{ schema: testSchema, trigger: 'scheduled', result: 'failed', count: failures.length }], 'all are counted')
  const warnings = first.engine.lines.filter(({ level }) => level > 20)
  t.strictSame(warnings.map(({ level, msg }) => `${level} ${msg}`),
    ['30 backup started', '50 a scheduled backup failed'])

  failing = false
  await Promise.all(replicas.map(async (replica) => {
    for (let times = 0; times < 8; times++) await pass(replica, 2 * 60_000)
  }))
  const completed = await place.sql`SELECT slot FROM backup_logs WHERE status = 'completed'`
  t.strictSame(completed.map(({ slot }) => slot.toISOString()), ['2026-11-23T00:00:00.000Z'])
})

t.test('a failed attempt with a note is kept, and a restart retries the slot', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, { publish: async () => { throw new Error('no') } })
  const replica = useReplica(t, place, {}, { storage })
  replica.engine.start()
  await pass(replica, hour)
  await pass(replica, 20_000)
  const { backups: [noted] } = await replica.engine.list()
  await replica.engine.update(noted?.id ?? '', { note: 'why?' })
  for (let minutes = 0; minutes < 4; minutes++) await pass(replica, 60_000)
  t.equal((await slotsOf(place)).length, 3)
  await replica.engine.stop()
  const next = useReplica(t, place, {}, {}, '2026-11-22T11:50:00.000Z')
  next.engine.start()
  await waiting(next.clock)
  t.strictSame((await slotsOf(place)).slice(3), [at('11:00')])
})

t.test('several schemas are backed up concurrently, once per slot; a failure does not affect the others', async (t) => {
  const place = await usePlace(t)
  const tenants = ['tenant_a', 'tenant_b', 'tenant_c']
  for (const tenant of tenants) await createShop(place, tenant)
  const gate = createGate()
  let publishing = 0
  let most = 0
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      if (name.startsWith('tenant_a')) throw new Error('no')
      most = Math.max(most, ++publishing)
      if (publishing === 2) gate.open()
      await gate.pass()
      publishing--
      await storage.publish(spoolPath, name)
    }
  })
  const schemas = ['missing', ...tenants, testSchema]
  const replica = useReplica(t, place, { schemas, concurrency: 2 }, { storage })
  replica.engine.start()
  await pass(replica, hour / 2)
  t.equal(most, 2)
  t.strictSame((await slotsOf(place)).map(({ schema, slot, status }) => `${schema} ${slot} ${status}`).sort(), [
    `${testSchema} 11:00 completed`, 'tenant_a null failed', 'tenant_b 11:00 completed', 'tenant_c 11:00 completed'
  ].sort())
  const line = replica.engine.lines.find(({ schema }) => schema === 'missing')
  t.match(line, { level: 50, reason: /has no schema missing/, retry: false })
})

t.test('a scheduled run that stop() aborts releases its slot, and the next start runs it', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE TABLE large AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 300000)`
  const first = useReplica(t, place)
  first.engine.start()
  await waiting(first.clock)
  const started = new Promise((resolve) => { first.engine.once('backup:started', resolve) })
  await first.clock.advance(hour)
  await started
  await first.engine.stop()
  t.strictSame(await slotsOf(place), [at(null, 'failed')])
  t.strictSame(first.engine.lines.filter(({ level }) => level > 20).map(({ level, msg, code }) => [level, msg, code]), [
    [30, 'backup started', undefined], [40, 'backup failed', 'FST_BACKUP_SHUTTING_DOWN']
  ], 'a shutdown is logged once, and not as an error')
  await place.sql`TRUNCATE large`

  // The aborted run proves that this is not the first start of all
  const second = useReplica(t, place, {}, {}, '2026-11-22T11:40:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [at(null, 'failed'), at('11:00')])
})

t.test('a scheduled run whose process died releases its slot, too', async (t) => {
  const place = await usePlace(t)
  const first = useReplica(t, place)
  first.engine.start()
  await pass(first, hour)
  await first.engine.stop()
  await place.sql`UPDATE backup_logs SET status = 'running'`
  const second = useReplica(t, place, {}, {}, '2026-11-22T11:40:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [at(null, 'failed'), at('11:00')])
})

t.test('a slot that another replica is serving is retried when that run fails', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const first = useReplica(t, place, {}, {
    storage: storageWith(place.directory, {
      async publish () {
        await gate.pass()
        throw new Error('no')
      }
    })
  })
  first.engine.start()
  await waiting(first.clock)
  await first.clock.advance(hour)
  await gate.reached

  const second = useReplica(t, place, {}, {}, '2026-11-22T11:40:00.000Z')
  second.engine.start()
  await waiting(second.clock)
  t.strictSame(await slotsOf(place), [at('11:00', 'running')])
  // As if the first one ended with its process
  const stopping = first.engine.stop()
  gate.open()
  await stopping
  await place.sql`UPDATE backup_logs SET slot = NULL`
  await pass(second, 30_000)
  t.strictSame(await slotsOf(place), [at(null, 'failed'), at('11:00')])
})

t.test('a manual run delays the slot; another replica may claim the slot at the last moment', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  let isHeld = true
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      if (isHeld) await gate.pass()
      await storage.publish(spoolPath, name)
    }
  })
  const manual = useEngine(t, place, { storage })
  const running = manual.create()
  await gate.reached
  const replica = useReplica(t, place)
  replica.engine.start()
  await pass(replica, hour)
  t.strictSame(await slotsOf(place), [])
  isHeld = false
  gate.open()
  await running
  await pass(replica, 30_000)
  t.strictSame(await slotsOf(place), [at('11:00')])

  // The run waits for the tables after it has read the log and before it claims the slot
  await place.sql.begin(async (tx) => {
    await tx`LOCK TABLE users IN ACCESS EXCLUSIVE MODE`
    await waiting(replica.clock)
    await replica.clock.advance(hour)
    await untilBlocked(place.sql)
    const slot = '2026-11-22T12:00:00Z'
    await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, slot)
      VALUES (${randomUUID()}, ${testSchema}, 'theirs', 'failed', 'scheduled', ${slot}, ${slot})`
  })
  await waiting(replica.clock)
  await pass(replica, 30_000)
  t.strictSame(await slotsOf(place), [at('11:00'), at('12:00', 'failed')])
  t.strictSame(replica.engine.events.filter(([name]) => name === 'backup:failed'), [])
  t.strictSame(linesBesidesRuns(replica.engine), [])
})

t.test('a slot is retried while the database is down', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const replica = useReplica(t, { ...place, url: proxy.url })
  replica.engine.start()
  await waiting(replica.clock)
  await proxy.refuse()
  await pass(replica, hour)
  // The storage keeper may log the same reason
  const errors = (): LogLine[] => replica.engine.lines.filter(({ msg }) => msg === 'a scheduled backup failed')
  await until(async () => errors().length > 0)
  t.equal(errors().length, 1)
  t.match(errors()[0], { reason: /not available/ })
  await proxy.accept()
  // The healer may wait for the same clock
  await until(async () => {
    await pass(replica, 30_000)
    return (await slotsOf(place)).length > 0
  })
  t.strictSame(await slotsOf(place), [at('11:00')])
})

t.test('retentionDays prunes scheduled backups only', async (t) => {
  const place = await usePlace(t)
  const replica = useReplica(t, place, { retentionDays: 1 })
  replica.engine.start()
  const manual = await replica.engine.create()
  await pass(replica, hour)
  for (let run = 1; run < 4; run++) await pass(replica, hour)
  t.strictSame((await slotsOf(place)).map(({ slot }) => slot), ['11:00', '12:00', '13:00', '14:00'])
  // The age is measured with the database's clock
  await place.sql`UPDATE backup_logs SET inserted_at = inserted_at - interval '25 hours'
    WHERE slot <= '2026-11-22 12:00Z' OR slot IS NULL`
  await replica.clock.set('2026-11-23T12:45:00.000Z')
  await waiting(replica.clock)
  t.strictSame((await slotsOf(place)).map(({ slot }) => slot), ['13:00', '14:00', '12:00'])
  t.match(await replica.engine.get(manual.id), { status: 'completed', available: true })
})

t.test('calendar mode, and the warning of interval mode', async (t) => {
  const place = await usePlace(t)
  const calendar = useReplica(t, place, { cron: '15 9 * * 1', mode: 'calendar', timezone: 'Europe/Berlin' })
  calendar.engine.start()
  t.match(await calendar.engine.status(), { nextRunAt: '2026-11-23T08:15:00.000Z' })
  const interval = useReplica(t, place, { cron: '15 9 * * 1' })
  t.equal(interval.engine.lines.length, 1)
  t.match(interval.engine.lines[0], { level: 40, msg: /interval mode reads as daily/ })
  t.throws(() => useReplica(t, place, { cron: 'every night', mode: 'calendar' }), { code: 'FST_BACKUP_OPTION_INVALID' })
})

t.test('adopted scheduled snapshots claim no slot, and no slot counts as missed', async (t) => {
  const place = await usePlace(t)
  const former = useReplica(t, place)
  await former.engine.create()
  await place.sql`UPDATE backup_logs SET trigger = 'scheduled'`
  const replica = useReplica(t, place)
  replica.engine.start()
  await waiting(replica.clock)
  t.strictSame(await slotsOf(place), [at(null)])
  await pass(replica, hour)
  t.strictSame(await slotsOf(place), [at(null), at('11:00')])
})
