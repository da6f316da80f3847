import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
import type { BackupOptions } from '../../types/index.ts'
import { untilBlocked } from '../support/backends.ts'
import { testSchema } from '../support/database.ts'
import { createShop, eventNames, type Place, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createGate, storageBehind, storageHoldingSecond, storageWith } from '../support/storage-double.ts'
import { until } from '../support/until.ts'

interface Followed {
  /** The events so far, as they arrive over HTTP. */
  events: Array<[string, any]>
  /** The last position. */
  position: () => string
  leave: () => void
  /** Whether the service has ended it. */
  isEnded: () => boolean
}

async function follow (engine: Pick<BackupCalls, 'follow'>, after: string | null = null): Promise<Followed> {
  const events: Followed['events'] = []
  const leaving = new AbortController()
  let last = ''
  let isEnded = false
  await engine.follow({
    after: after === null ? null : BigInt(after),
    signal: leaving.signal,
    onBatch (batch) {
      for (const { name, data } of batch.events) events.push([name, JSON.parse(JSON.stringify(data))])
      last = batch.position ?? last
    },
    onEnd () { isEnded = true }
  })
  return { events, position: () => last, leave: () => { leaving.abort() }, isEnded: () => isEnded }
}

/** A second replica whose clock the test moves: `reads` lets it read the log until the condition holds. */
function useReplica (
  t: Test, place: Place, options: BackupOptions = {}
): { replica: TestEngine, reads: (holds: () => boolean) => Promise<void> } {
  const clock = createManualClock(new Date().toISOString())
  const replica = useEngine(t, place, options, clock)
  return {
    replica,
    reads: (holds) => until(async () => {
      await clock.advance(1000)
      return holds()
    })
  }
}

/**
 * Until every transaction of the server that is older than the last event has ended, those of other tests too.
 * Positions that are given out from then on are later than the event.
 */
const untilOlderHaveEnded = ({ sql }: Place): Promise<void> => until(async () => {
  const [row] = await sql`SELECT bool_and(changed_in < pg_snapshot_xmin(pg_current_snapshot())) AS ended
    FROM backup_logs`
  return row?.ended === true
})

const names = ({ events }: Followed): string[] =>
  events.map(([name]) => name).filter((name) => !name.endsWith('progress'))
const ofName = ({ events }: Followed, name: string): any[] => events.filter(([n]) => n === name).map(([, data]) => data)

/** What the emitted events are as JSON, with errors as HTTP shows them. */
const emitted = ({ events }: TestEngine): Array<[string, unknown]> => events
  .filter(([name]) => !name.endsWith('progress'))
  .map(([name, data]) => [name, JSON.parse(JSON.stringify(data, (_key, value) =>
    value instanceof Error && 'code' in value ? { code: value.code, message: value.message } : value))])

t.test('a replica reports the runs of another one as that one emits them, once each and in order', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 2, guard: { minRows: 1 } })
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)

  const { id } = await engine.create({ note: 'first' })
  await place.sql`DELETE FROM orders WHERE id < 3`
  await engine.create()
  await engine.restore(id)
  await reads(() => names(followed).length >= eventNames(engine).length)

  const timed = (events: Array<[string, any]>): unknown => events.map(([name, data]) =>
    name === 'restore:completed' ? [name, { ...data, phases: {}, durationMs: 0 }] : [name, data])
  t.same(timed(followed.events.filter(([name]) => !name.endsWith('progress'))), timed(emitted(engine)))
  t.ok(names(followed).includes('backup:suspect'))
  const [result] = ofName(followed, 'restore:completed')
  t.ok(result.durationMs > 0 && result.phases.loadMs >= 0)
})

t.test('a failed run is reported with the code and the message of its error', async (t) => {
  const place = await usePlace(t)
  const failing = storageWith(place.directory, {
    async publish () { throw Object.assign(new Error('disk'), { code: 'ENOSPC' }) }
  })
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const broken = useEngine(t, place, { storage: failing })
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await t.rejects(broken.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await t.rejects(broken.restore(id), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await reads(() => names(followed).length >= 4)
  t.same(followed.events.filter(([name]) => !name.endsWith('progress')), emitted(broken))
  t.equal(ofName(followed, 'backup:failed').length, 1)
  t.equal(ofName(followed, 'backup:failed')[0].error.code, 'FST_BACKUP_STORAGE_FAILED')
})

t.test('a run that failed before it began has no backup:started', async (t) => {
  const place = await usePlace(t)
  const storagePath = join(place.directory, 'file')
  await writeFile(storagePath, '')
  const engine = useEngine(t, place, { storagePath })
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await reads(() => names(followed).length >= 1)
  t.same(followed.events, emitted(engine))
  t.same(names(followed), ['backup:failed'])
})

t.test('a run whose process ended is reported as failed when it is healed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await place.sql`UPDATE backup_logs SET status = 'running', size_bytes = NULL, checksum = NULL`
  await engine.prune()
  await useEngine(t, place).create()
  await reads(() => names(followed).includes('backup:failed'))
  t.strictSame(ofName(followed, 'backup:failed'), [{
    id,
    schema: testSchema,
    error: {
      code: 'FST_BACKUP_ABORTED', message: 'interrupted: the service ended, or lost the database, during the run'
    }
  }])
})

t.test('a restore whose process ended is reported as failed when it is healed', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await place.sql`UPDATE backup_logs SET
    restores = '[{"status": "running", "schema": "elsewhere", "startedAt": "2026-11-27T10:00:00.000Z"}]'`
  await useEngine(t, place).create()
  await reads(() => names(followed).includes('restore:failed'))
  t.match(ofName(followed, 'restore:failed')[0], {
    id, schema: 'elsewhere', error: { code: 'FST_BACKUP_ABORTED', message: /^interrupted/ }
  })
})

t.test('nothing is reported before its transaction has committed, and nothing is lost after a later one', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await untilOlderHaveEnded(place)
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  let position = ''
  await place.sql.begin(async (sql) => {
    await sql`UPDATE backup_logs SET changed_in = pg_current_xact_id(), events = events || jsonb_build_object(
      'name', 'backup:completed', 'in', pg_current_xact_id()::text, 'at', clock_timestamp())`
    await engine.create()
    await reads(() => names(followed).length === 2)
    t.same(ofName(followed, 'backup:completed').filter((backup) => backup.id === id), [])
    position = followed.position()
  })
  await reads(() => names(followed).length >= 3)
  await reads(() => true)
  t.same(names(followed), ['backup:started', 'backup:completed', 'backup:completed'])
  t.equal(followed.events[2]?.[1].id, id)

  const again = await follow(useEngine(t, place), position)
  t.same(again.events.map(([name, data]) => [name, data.id === id]).sort(), [
    ['backup:completed', false], ['backup:completed', true], ['backup:started', false]
  ], 'who continues at a position inside of the transaction gets what came meanwhile again')
})

t.test('who continues at a position, on any replica, gets what has happened since', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  await engine.create()
  await untilOlderHaveEnded(place)
  const first = await follow(engine)
  t.same(first.events, [])
  first.leave()
  const made = await engine.create()
  const { replica, reads } = useReplica(t, place)
  const other = await follow(replica)
  const second = await follow(replica, first.position())
  t.same(names(second), ['backup:started', 'backup:completed', 'backup:pruned'])
  t.same(ofName(second, 'backup:completed'), [made])
  const [pruned] = ofName(second, 'backup:pruned')
  t.match(pruned, { backup: { available: false, held: false }, reason: /./ })
  t.same(other.events, [], 'a follower without a position begins now')
  await engine.create()
  await reads(() => names(other).length >= 3)
  t.same(names(other), ['backup:started', 'backup:completed', 'backup:pruned'])
  t.same(names(second).slice(3), names(other))

  const unknown = await follow(replica, '18446744073709551615')
  t.same(unknown.events, [], 'a position that this server has not reached is the present one')
  t.same((await follow(replica, '99999999999999999999')).events, [], 'and so is a number that is none')
})

t.test('a removal is reported when its file is deleted, even if that takes longer than a poll', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const storage = storageWith(place.directory, {
    async remove (storage, name) {
      await gate.pass()
      await storage.remove(name)
    }
  })
  const engine = useEngine(t, place, { maxBackups: 1, storage })
  const { id } = await engine.create()
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  const creating = engine.create()
  await gate.reached
  await reads(() => names(followed).includes('backup:completed'))
  const { position } = followed
  const before = position()
  await reads(() => true)
  t.same(ofName(followed, 'backup:pruned'), [])
  gate.open()
  await creating
  await reads(() => names(followed).includes('backup:pruned'))
  t.same(ofName(followed, 'backup:pruned').map(({ backup }) => backup.id), [id])
  t.same(names(await follow(useEngine(t, place), before)).filter((name) => name === 'backup:pruned'), ['backup:pruned'],
    'also for who continues at a position that was given out meanwhile')
})

/** Sets the time of all events back. */
const ageEvents = async ({ sql }: Place, interval: string): Promise<void> => {
  await sql`UPDATE backup_logs SET events = (SELECT coalesce(jsonb_agg(jsonb_set(event, '{at}',
    to_jsonb((event ->> 'at')::timestamptz - ${interval}::interval))), '[]')
    FROM jsonb_array_elements(events) AS event)`
}

t.test('a removal is reported when it ends, however long that takes, and whoever ends it', async (t) => {
  const place = await usePlace(t)
  let isUndeletable = true
  const storage = storageWith(place.directory, {
    async remove (storage, name) {
      if (isUndeletable) throw Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'unlink' })
      await storage.remove(name)
    }
  })
  const { id } = await useEngine(t, place).create()
  const engine = useEngine(t, place, { maxBackups: 1, storage })
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await engine.create()
  await reads(() => names(followed).length === 2)
  await ageEvents(place, '11 minutes')
  await useEngine(t, place, { storage }).create()
  await reads(() => names(followed).length === 4)
  t.same(ofName(followed, 'backup:pruned'), [])
  isUndeletable = false
  await useEngine(t, place).create()
  await reads(() => names(followed).length >= 7)
  await reads(() => true)
  const [pruned, ...others] = ofName(followed, 'backup:pruned')
  t.match(pruned, { backup: { id, available: false, held: false }, reason: /^beyond the newest 1 / })
  t.same(others, [])
})

t.test('a removal is reported also when a restore has locked the other rows', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await engine.create()
  const { replica, reads } = useReplica(t, place, { maxBackups: 1 })
  const followed = await follow(replica)
  let pruning: Promise<unknown> = Promise.resolve()
  await place.sql.begin(async (sql) => {
    await sql`SELECT FROM backup_logs WHERE id <> ${id} FOR UPDATE`
    pruning = replica.prune()
    await untilBlocked(place.sql)
  })
  await pruning
  await reads(() => names(followed).length > 0)
  t.same(followed.events.map(([name, { backup }]) => [name, backup.id]), [['backup:pruned', id]])
})

t.test('a row that must stay for its slot is reported as pruned once', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`UPDATE backup_logs SET slot = now(), trigger = 'scheduled'`
  await engine.create()
  const { replica, reads } = useReplica(t, place, { maxBackups: 1 })
  const followed = await follow(replica)
  await replica.prune()
  await reads(() => names(followed).length > 0)
  t.equal((await place.sql`SELECT FROM backup_logs WHERE id = ${id}`).length, 1, 'the row keeps the slot')
  await place.sql`UPDATE backup_logs SET slot = now() + interval '1 hour' WHERE id <> ${id}`
  await replica.create()
  await reads(() => names(followed).length >= 3)
  await reads(() => true)
  t.equal((await place.sql`SELECT FROM backup_logs WHERE id = ${id}`).length, 0)
  t.same(ofName(followed, 'backup:pruned').filter(({ backup }) => backup.id === id).length, 1)
})

t.test('the events of a row that was deleted meanwhile are reported', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  await untilOlderHaveEnded(place)
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  const first = await engine.create({ note: 'ü' })
  const second = await engine.create()
  await engine.remove(first.id)
  await engine.remove(second.id)
  await reads(() => names(followed).length >= 4)
  await reads(() => true)
  t.same(followed.events.filter(([name]) => !name.endsWith('progress')), emitted(engine).slice(2))
})

t.test('each event is reported once while an older transaction of the server is open', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { replica, reads } = useReplica(t, place)
  await place.sql.begin(async (sql) => {
    await sql`SELECT pg_current_xact_id()`
    const followed = await follow(replica)
    for (let made = 0; made < 3; made++) {
      await engine.create()
      await reads(() => names(followed).length >= 2 * (made + 1))
      await reads(() => true)
    }
    t.same(names(followed), names({ events: emitted(engine) } as unknown as Followed))
  })
})

t.test('a log that was copied from a server with more transactions repeats nothing', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  const later = '4611686018427387904'
  await place.sql.unsafe(`UPDATE backup_logs SET changed_in = '${later}',
    events = (SELECT jsonb_agg(jsonb_set(event, '{in}', '"${later}"')) FROM jsonb_array_elements(events) AS event)`)
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica, '1')
  await engine.create()
  await reads(() => names(followed).length >= 2)
  await reads(() => true)
  t.same(names(followed), ['backup:started', 'backup:completed'])
})

t.test('who continues gets the events of the last ten minutes only', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  t.same(names(await follow(engine, '0')), ['backup:started', 'backup:completed'])
  await ageEvents(place, '9 minutes')
  t.same(names(await follow(engine, '0')), ['backup:started', 'backup:completed'])
  await ageEvents(place, '61 seconds')
  t.same(names(await follow(engine, '0')), [])
})

t.test('an entry of a later release is no event', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.create()
  await place.sql`UPDATE backup_logs SET events = (SELECT jsonb_agg(event || '{"name": "backup:later"}')
    FROM jsonb_array_elements(events) AS event)`
  const followed = await follow(engine, '0')
  t.same(followed.events, [])
  await engine.create()
  await until(() => names(followed).length === 2)
})

t.test('callers see the events of their schemas only', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant_a')
  await createShop(place, 'tenant_b')
  const options = { schemas: ['tenant_a', 'tenant_b'] }
  const engine = useEngine(t, place, options)
  const { replica, reads } = useReplica(t, place, options)
  const allowed = new Set(['tenant_a'])
  const ofA = await follow(replica.forCaller((schema) => allowed.has(schema)))
  const all = await follow(replica)
  const a = await engine.create({ schema: 'tenant_a' })
  const b = await engine.create({ schema: 'tenant_b' })
  await engine.restore(a.id, { schema: 'tenant_b' })
  await reads(() => names(all).length >= 6)
  t.same(ofA.events.map(([name, data]) => [name, data.id]), [['backup:started', a.id], ['backup:completed', a.id]])
  allowed.add('tenant_b')
  await engine.restore(b.id, { schema: 'tenant_a' })
  await reads(() => names(all).length >= 8)
  t.same(names(ofA).slice(2), ['restore:started', 'restore:completed'], 'access is checked at each event')
})

t.test('progress comes from the log for runs of other replicas', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const engine = useEngine(t, place, { storage: storageBehind(place.directory, gate) })
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  const creating = engine.create()
  await gate.reached
  const setProgress = async (rows: number): Promise<void> => {
    await place.sql`UPDATE backup_logs SET progress = ${place.sql.json({ rows })} WHERE status = 'running'`
  }
  await setProgress(1)
  await reads(() => followed.events.some(([, data]) => data.progress?.rows === 1))
  await reads(() => true)
  await setProgress(2)
  await reads(() => followed.events.some(([, data]) => data.progress?.rows === 2))
  const { id } = await engine.get((await engine.status()).running[0]?.id ?? '')
  t.same(followed.events.slice(-2), [
    ['backup:progress', { id, progress: { rows: 1 } }], ['backup:progress', { id, progress: { rows: 2 } }]
  ])
  gate.open()
  await creating
})

t.test('progress of a restore on another replica is that of the restored snapshot', async (t) => {
  const place = await usePlace(t)
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  const restoring = engine.restore(id)
  await publishing.reached
  // The pre_restore snapshot has none of its own
  await place.sql`UPDATE backup_logs SET progress = ${place.sql.json({ rows: 1 })} WHERE status = 'running'`
  await place.sql`UPDATE backup_logs SET restores = jsonb_set(restores, '{0,progress}', ${place.sql.json({ rows: 1 })})
    WHERE restore ->> 'status' = 'running'`
  const progress = (): unknown[] => followed.events.filter(([, data]) => data.progress?.rows === 1)
  await reads(() => progress().length > 0)
  await reads(() => true)
  t.strictSame(progress(), [['restore:progress', { id, schema: testSchema, progress: { rows: 1 } }]])
  publishing.open()
  await restoring
})

t.test('progress of a run of this process comes from the run itself', async (t) => {
  const place = await usePlace(t)
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  const followed = await follow(engine)
  const restoring = engine.restore(id)
  await publishing.reached
  await until(() => names(followed).includes('restore:started'))
  publishing.open()
  await restoring
  await until(() => names(followed).includes('restore:completed'))
  const loads = (events: Array<[string, any]>): unknown[] =>
    events.filter(([name, data]) => name === 'restore:progress' && data.progress.phase === 'load')
  t.ok(loads(engine.events).length > 0)
  t.same(loads(followed.events), loads(engine.events))
})

t.test('only a hundred follow at the same time', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const followed = await Promise.all(Array.from({ length: 100 }, () => follow(engine)))
  await t.rejects(follow(engine), { code: 'FST_BACKUP_TOO_MANY_STREAMS', statusCode: 503 })
  followed[0]?.leave()
  await follow(engine)
})

t.test('who begins while the log cannot be read is refused, and who has begun goes on later', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { replica, reads } = useReplica(t, place)
  const followed = await follow(replica)
  await place.sql`ALTER TABLE backup_logs RENAME COLUMN events TO hidden`
  await reads(() => replica.lines.length > 0)
  await t.rejects(follow(replica), { code: 'FST_BACKUP_LOG_UNUSABLE' })
  await t.rejects(follow(useEngine(t, place)), { code: 'FST_BACKUP_LOG_UNUSABLE' })
  await place.sql`ALTER TABLE backup_logs RENAME COLUMN hidden TO events`
  await engine.create()
  await reads(() => names(followed).length === 2)
  t.same(replica.lines.map(({ level, msg }) => [level, msg]),
    [[40, 'the events of backups could not be read; retrying']])
})

t.test('without followers the log is not read', async (t) => {
  const place = await usePlace(t)
  const clock = createManualClock(new Date().toISOString())
  const engine = useEngine(t, place, {}, clock)
  const followed = await follow(engine)
  await until(() => clock.waiting() === 1)
  followed.leave()
  await until(() => clock.waiting() === 0)
  await engine.create()
  t.equal(clock.waiting(), 0)
  t.same(followed.events, [])
})

t.test('a shutdown ends those who follow, and those who wait for their first events', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const followed = await follow(engine)
  await place.sql.begin(async (sql) => {
    await sql`LOCK TABLE backup_logs`
    const leaving = new AbortController()
    const left = engine.follow({ after: null, signal: leaving.signal, onBatch () {}, onEnd () {} })
    await untilBlocked(place.sql)
    const waiting = follow(engine)
    leaving.abort()
    await t.rejects(left, { code: 'FST_BACKUP_ABORTED' })
    const stopping = engine.stop()
    await t.rejects(waiting, { code: 'FST_BACKUP_SHUTTING_DOWN' })
    await stopping
  })
  t.ok(followed.isEnded())
  await t.rejects(follow(engine), { code: 'FST_BACKUP_SHUTTING_DOWN' })
})
