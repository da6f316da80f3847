import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import { Busy } from '../../lib/errors.ts'
import type { Cadence } from '../../lib/schedule/cadence.ts'
import { intervalCadence } from '../../lib/schedule/interval-cadence.ts'
import {
  createScheduler,
  type Scheduler,
  type SchedulerOptions,
  type SlotOutcome
} from '../../lib/schedule/scheduler.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

const minute = 60_000
const hour = 60 * minute
const hourly = intervalCadence('0 */1 * * *')

interface Scene {
  scheduler: Scheduler
  clock: ManualClock
  /** Removes and returns the runs that have started: `schema slot (now)`. */
  runs: () => string[]
  logs: Array<{ level: string, details: Record<string, unknown>, message: string }>
  listeners: () => number
}

/** A scheduler with a slot every hour, at 10:30, on its first start, whose runs all return `done` at once. */
function useScheduler (t: Test, options: Partial<SchedulerOptions> = {}, iso = '2026-11-22T10:30:00.000Z'): Scene {
  const clock = createManualClock(iso)
  const logs: Scene['logs'] = []
  const log = (level: string) => (details: object, message: string) => {
    logs.push({ level, details: { ...details }, message })
  }
  const short = (date: Date): string => date.toISOString().slice(11, 16)
  const runs: string[] = []
  let seen: AbortSignal | undefined
  const scheduler = createScheduler({
    cadence: hourly,
    schemas: () => ['a', 'b'],
    lastSlot: async () => null,
    clock,
    concurrency: 1,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    ...options,
    async run (schema, slot, signal) {
      seen = signal
      runs.push(`${schema} ${short(slot)} (${short(clock.now())})`)
      return await (options.run?.(schema, slot, signal) ?? 'done')
    }
  })
  const unhandled: unknown[] = []
  const note = (error: unknown): void => { unhandled.push(error) }
  process.on('unhandledRejection', note)
  t.after(async () => {
    await scheduler.stop()
    // Pending promises settle
    await clock.advance(0)
    process.off('unhandledRejection', note)
    if (unhandled.length > 0) throw new Error('an unhandled rejection', { cause: unhandled })
    if (clock.waiting() > 0) throw new Error('the clock still has waiting callers')
  })
  return {
    scheduler,
    clock,
    logs,
    runs: () => runs.splice(0),
    listeners: () => (seen === undefined ? 0 : getEventListeners(seen, 'abort').length)
  }
}

/** Returns one outcome after the other, then `done`. */
function outcomes (...list: Array<SlotOutcome | Error>): () => Promise<SlotOutcome> {
  return async () => {
    const outcome = list.shift() ?? 'done'
    if (outcome instanceof Error) throw outcome
    return outcome
  }
}

t.test('each slot runs every schema once, one after another', async (t) => {
  let running = 0
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    async run (_schema, _slot, signal) {
      t.equal(++running, 1, 'runs do not overlap')
      await clock.wait(5 * minute, signal)
      running--
      return 'done'
    }
  })
  scheduler.start()
  await clock.advance(29 * minute)
  t.strictSame(runs(), [])
  await clock.advance(2 * hour)
  t.strictSame(runs(), ['a 11:00 (11:00)', 'b 11:00 (11:05)', 'a 12:00 (12:00)', 'b 12:00 (12:05)'])
  t.strictSame(logs, [])
})

t.test('a schema that is named twice runs once', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, { schemas: () => ['a', 'a'], run: outcomes('busy') })
  scheduler.start()
  await clock.advance(30 * minute)
  t.strictSame(runs(), ['a 11:00 (11:00)'])
  await clock.advance(minute)
  t.strictSame(runs(), ['a 11:00 (11:00)'])
})

t.test('schemas are requested at each slot, so that a new tenant is served from the next slot on', async (t) => {
  const tenants = ['a']
  const asked: string[] = []
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: async () => tenants,
    lastSlot: async (schema) => {
      asked.push(schema)
      return new Date('2026-11-22T10:00:00Z')
    }
  })
  scheduler.start()
  await clock.advance(45 * minute)
  tenants.push('new')
  await clock.advance(hour)
  t.strictSame(runs(), ['a 11:00 (11:00)', 'a 12:00 (12:00)', 'new 12:00 (12:00)'])
  t.strictSame(asked, ['a'], 'it missed nothing while the service was down')
  t.strictSame(logs, [])
})

t.test('the first start makes up for no slot', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t)
  scheduler.start()
  await clock.advance(10 * minute)
  t.strictSame(runs(), [])
})

t.test('on start, the newest missed slot runs once for each schema that missed it', async (t) => {
  const last: Record<string, string> = {
    missed: '2026-11-20T03:00:00Z',
    served: '2026-11-22T10:00:00Z',
    ahead: '2026-11-22T11:00:00Z'
  }
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: () => [...Object.keys(last), 'new'],
    lastSlot: async (schema) => last[schema] === undefined ? null : new Date(last[schema])
  })
  scheduler.start()
  await clock.advance(29 * minute)
  t.strictSame(runs(), ['missed 10:00 (10:30)'])
  t.equal(logs.length, 1)
  t.match(logs[0], { level: 'info', message: /while the service was down/ })
  t.strictSame(logs[0]?.details, { schema: 'missed', slot: new Date('2026-11-22T10:00:00Z') })
  await clock.advance(minute)
  t.strictSame(runs(), ['missed 11:00 (11:00)', 'served 11:00 (11:00)', 'ahead 11:00 (11:00)', 'new 11:00 (11:00)'])
})

t.test('a missed slot that is busy is retried', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    schemas: () => ['a'], lastSlot: async () => new Date('2026-11-22T08:00:00Z'), run: outcomes('busy')
  })
  scheduler.start()
  await clock.advance(minute)
  t.strictSame(runs(), ['a 10:00 (10:30)', 'a 10:00 (10:30)'])
})

t.test('start() returns at once and makes each call once; a second start() does nothing', async (t) => {
  let asked = 0
  const { scheduler, clock, runs } = useScheduler(t, {
    schemas: async () => { asked++; return ['a'] }, lastSlot: async () => { asked++; return null }
  })
  t.equal(scheduler.start(), undefined)
  scheduler.start()
  await clock.advance(29 * minute)
  t.equal(asked, 2)
  await clock.advance(hour)
  t.strictSame(runs(), ['a 11:00 (11:00)'])
})

t.test(
  'busy and retry are retried after retryMs with jitter until done or taken, without delaying others',
  async (t) => {
    const results: Record<string, () => Promise<SlotOutcome>> = {
      a: outcomes('busy', 'retry', 'busy', 'taken'),
      b: outcomes()
    }
    const { scheduler, clock, runs, logs } = useScheduler(t, {
      run: async (schema) => (await results[schema]?.()) ?? 'done'
    })
    scheduler.start()
    await clock.advance(30 * minute)
    t.strictSame(runs(), ['a 11:00 (11:00)', 'b 11:00 (11:00)'])
    await clock.advance(14_999)
    t.strictSame(runs(), [])
    await clock.advance(3751)
    t.strictSame(runs(), ['a 11:00 (11:00)'])
    await clock.advance(10 * minute)
    t.strictSame(runs(), ['a 11:00 (11:00)', 'a 11:00 (11:00)'], 'taken ends the retries')
    const pauses = clock.waits.filter((ms) => ms < minute)
    t.equal(pauses.length, 3)
    t.equal(new Set(pauses).size, 3, 'no two pauses are equal')
    t.ok(pauses.every((ms) => ms >= 15_000 && ms <= 18_750))
    t.strictSame(logs, [])
  }
)

t.test('retryMs is an option', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    schemas: () => ['a'],
    run: outcomes('busy', 'busy'),
    retryMs: 1000
  })
  scheduler.start()
  await clock.advance(30 * minute + 2500)
  t.equal(runs().length, 3)
})

t.test('a run that rejects is logged without row data and retried', async (t) => {
  const database = Object.assign(new Error('duplicate key: (email)=(ada@example.com)'), {
    name: 'PostgresError',
    code: '23505'
  })
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: () => ['a'],
    run: outcomes(new Busy('the schema a'), database, new TypeError('ada@example.com'))
  })
  scheduler.start()
  await clock.advance(35 * minute)
  t.equal(runs().length, 4)
  t.match(logs[0], { level: 'error', message: /retrying/ })
  const details = { schema: 'a', slot: new Date('2026-11-22T11:00:00Z') }
  t.strictSame(logs.map(({ details }) => details), [
    { ...details, reason: 'FST_BACKUP_BUSY: the schema a; try again when it has ended' },
    { ...details, reason: 'PostgresError 23505' },
    { ...details, reason: 'TypeError' }
  ])
  t.notMatch(JSON.stringify(logs), 'ada@example.com')
})

t.test('a run that throws synchronously, or throws a string, is handled like one that rejects', async (t) => {
  const thrown: unknown = 'text'
  let calls = 0
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: () => ['a'],
    run: () => {
      if (calls++ === 0) throw thrown
      return Promise.resolve('done')
    }
  })
  scheduler.start()
  await clock.advance(35 * minute)
  t.equal(runs().length, 2)
  t.strictSame(logs.map(({ level, details: { reason } }) => [level, reason]), [['error', 'string']])
})

t.test('pauses double from retryMs to ten minutes, with jitter, and restart with the next slot', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, { schemas: () => ['a'], run: async () => 'retry' })
  scheduler.start()
  await clock.advance(90 * minute - 1)
  const pauses = clock.waits.slice(1)
  const least = [15, 30, 60, 120, 240, 480, 600, 600].map((seconds) => seconds * 1000)
  for (const [index, ms] of least.entries()) {
    t.ok((pauses[index] ?? 0) >= ms && (pauses[index] ?? 0) <= ms * 1.25, `${pauses[index]} ms`)
  }
  t.ok(runs().length >= 9)
  await clock.advance(20_000)
  t.strictSame(runs(), ['a 12:00 (12:00)', 'a 12:00 (12:00)'])
})

t.test('a run that hangs occupies its lane, even in later slots, and delays no other schema', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    concurrency: 2,
    schemas: () => ['hung', 'a', 'b'],
    run: async (schema, _slot, signal) => {
      if (schema !== 'hung') return 'done'
      return await new Promise((_resolve, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            reject(signal.reason)
          },
          { once: true }
        )
      })
    }
  })
  scheduler.start()
  await clock.advance(1.5 * hour)
  t.strictSame(runs(), [
    'hung 11:00 (11:00)',
    'a 11:00 (11:00)',
    'b 11:00 (11:00)',
    'a 12:00 (12:00)',
    'b 12:00 (12:00)'
  ])
})

t.test('`concurrency` runs are in progress at a time, and one that fails does not stop the others', async (t) => {
  let running = 0
  let most = 0
  const { scheduler, clock, runs } = useScheduler(t, {
    concurrency: 3,
    schemas: () => ['a', 'b', 'c', 'd', 'e', 'f'],
    async run (schema, _slot, signal) {
      most = Math.max(most, ++running)
      await clock.wait(5 * minute, signal).finally(() => { running-- })
      if (schema === 'a') throw new Error('no')
      return 'done'
    }
  })
  scheduler.start()
  await clock.advance(30 * minute)
  await clock.advance(10 * minute)
  t.equal(most, 3)
  t.strictSame(runs().sort(), [
    'a 11:00 (11:00)',
    'a 11:00 (11:10)',
    'b 11:00 (11:00)',
    'c 11:00 (11:00)',
    'd 11:00 (11:05)',
    'e 11:00 (11:05)',
    'f 11:00 (11:05)'
  ])
})

t.test('a slot that comes during the run of a schema is served when that run has ended', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    concurrency: 2,
    async run (schema, slot, signal) {
      if (schema === 'a' && slot.getUTCHours() === 11) await clock.wait(80 * minute, signal)
      return 'done'
    }
  })
  scheduler.start()
  await clock.advance(2 * hour)
  t.strictSame(runs(), ['a 11:00 (11:00)', 'b 11:00 (11:00)', 'b 12:00 (12:00)', 'a 12:00 (12:20)'])
})

t.test('stop() aborts all current runs and waits for each', async (t) => {
  const ends: Array<() => void> = []
  const signals: AbortSignal[] = []
  const { scheduler, clock } = useScheduler(t, {
    concurrency: 2,
    run: async (_schema, _slot, signal) => {
      signals.push(signal)
      return await new Promise((resolve) => {
        ends.push(() => {
          resolve('retry')
        })
      })
    }
  })
  scheduler.start()
  await clock.advance(30 * minute)
  let isStopped = false
  const stopping = scheduler.stop().then(() => { isStopped = true })
  t.strictSame(signals.map(({ aborted }) => aborted), [true, true])
  ends[0]?.()
  await clock.advance(0)
  t.equal(isStopped, false)
  ends[1]?.()
  await stopping
})

t.test('a failure is logged above debug level once for each reason of a slot', async (t) => {
  const { scheduler, clock, logs } = useScheduler(t, {
    schemas: () => ['a'], run: outcomes(new Busy('x'), new Busy('x'), new Busy('y'), new Busy('y'))
  })
  scheduler.start()
  await clock.advance(hour - 1)
  t.strictSame(logs.map(({ level }) => level), ['error', 'debug', 'warn', 'debug'])
})

t.test('knownSchemas() returns the newest list, why there is none, and that the function hangs', async (t) => {
  let answer = async (): Promise<string[]> => ['a', 'a', 'b']
  const { scheduler, clock } = useScheduler(t, { schemas: async () => await answer(), run: async () => 'done' })
  t.equal(scheduler.startedAt(), null)
  t.strictSame(await scheduler.knownSchemas(), { names: ['a', 'b'], failure: null }, 'even before start()')
  scheduler.start()
  t.strictSame(scheduler.startedAt(), new Date('2026-11-22T10:30:00Z'))
  await clock.advance(0)
  answer = async () => ['c']
  t.strictSame((await scheduler.knownSchemas()).names, ['a', 'b'], 'the list is less than a minute old')
  await clock.advance(2 * minute)
  t.strictSame((await scheduler.knownSchemas()).names, ['c'])

  answer = async () => { throw new TypeError('ada@example.com') }
  await clock.advance(2 * minute)
  const failure = { reason: 'TypeError', since: new Date('2026-11-22T10:34:00Z') }
  t.strictSame(await scheduler.knownSchemas(), { names: ['c'], failure })
  await clock.advance(2 * minute)
  t.strictSame(await scheduler.knownSchemas(), { names: ['c'], failure }, 'since the first time')

  let end = (_names: string[]): void => {}
  answer = async () => await new Promise((resolve) => { end = resolve })
  await clock.advance(2 * minute)
  t.strictSame(await scheduler.knownSchemas(), { names: ['c'], failure }, 'the last known result')
  await clock.advance(2 * minute)
  t.strictSame(await scheduler.knownSchemas(), {
    names: ['c'],
    failure: { reason: 'no answer', since: new Date('2026-11-22T10:38:00Z') }
  })
  end(['d'])
  await clock.advance(0)
  t.strictSame(await scheduler.knownSchemas(), { names: ['d'], failure: null })
})

t.test('the next slot supersedes one that did not succeed, with a warning', async (t) => {
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: () => ['a', 'b'],
    retryMs: 31 * minute,
    run: async (schema, slot) => (schema === 'a' && slot.getUTCHours() === 11 ? 'busy' : 'done')
  })
  scheduler.start()
  await clock.advance(1.5 * hour)
  // The jitter adds up to a quarter of the pause
  const shown = runs().map((run) => run.replace(/\(11:3\d\)/, '(11:3x)'))
  t.strictSame(shown, ['a 11:00 (11:00)', 'b 11:00 (11:00)', 'a 11:00 (11:3x)', 'a 12:00 (12:00)', 'b 12:00 (12:00)'])
  t.equal(logs.length, 1)
  t.match(logs[0], { level: 'warn', message: /the next slot has begun/ })
  t.strictSame(logs[0]?.details, { schema: 'a', slot: new Date('2026-11-22T11:00:00Z') })
})

t.test('a superseded slot is not retried', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    schemas: () => ['a'],
    retryMs: 40 * minute,
    run: outcomes('busy', 'busy')
  })
  scheduler.start()
  await clock.advance(2.5 * hour)
  // The jitter adds up to a quarter of the pause
  const shown = runs().map((run) => run.replace(/\(11:[45]\d\)/, '(11:xx)'))
  t.strictSame(shown, ['a 11:00 (11:00)', 'a 11:00 (11:xx)', 'a 12:00 (12:00)', 'a 13:00 (13:00)'])
})

t.test('after a run longer than the interval only the newest slot follows, and every schema is served', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, {
    async run (schema, _slot, signal) {
      if (schema === 'a') await clock.wait(2.5 * hour, signal)
      return 'done'
    }
  })
  scheduler.start()
  await clock.advance(6 * hour)
  t.strictSame(runs(), ['a 11:00 (11:00)', 'b 13:00 (13:30)', 'a 13:00 (13:30)', 'b 16:00 (16:00)', 'a 16:00 (16:00)'])
})

t.test('a timer that fires early does not run a slot before its time', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, { schemas: () => ['a'] })
  scheduler.start()
  for (const time of ['10:31:00.000', '10:59:00.000', '10:59:59.999']) {
    await clock.set(`2026-11-22T${time}Z`)
    t.strictSame(runs(), [], time)
  }
  await clock.set('2026-11-22T11:00:00.000Z')
  t.strictSame(runs(), ['a 11:00 (11:00)'])
})

t.test('after the machine slept only the newest slot runs', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, { schemas: () => ['a'] })
  scheduler.start()
  await clock.set('2026-11-24T20:20:00.000Z')
  t.strictSame(runs(), ['a 20:00 (20:20)'])
  await clock.advance(40 * minute)
  t.strictSame(runs(), ['a 21:00 (21:00)'])
})

t.test('a clock that is set back does not stop the schedule, and a small correction repeats no slot', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t, { schemas: () => ['a'] })
  scheduler.start()
  await clock.set('2030-01-01T00:00:00.000Z')
  t.strictSame(runs(), ['a 00:00 (00:00)'])
  await clock.set('2026-11-22T10:40:00.000Z')
  await clock.advance(30 * minute)
  t.strictSame(runs(), ['a 11:00 (11:00)'])

  await clock.set('2026-11-22T10:59:59.000Z')
  await clock.advance(2000)
  t.strictSame(runs(), [])
  await clock.advance(hour)
  t.strictSame(runs(), ['a 12:00 (12:00)'])
})

t.test('while the schemas are unknown the request is retried, and a slot of that time then runs', async (t) => {
  let isDown = true
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    schemas: async () => { if (isDown) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' }); return ['a'] }
  })
  scheduler.start()
  await clock.advance(minute)
  t.match(logs[0], {
    level: 'error',
    details: { reason: 'Error ECONNREFUSED' },
    message: /schemas to back up are not known/
  })
  t.strictSame(new Set(logs.slice(1).map(({ level }) => level)), new Set(['debug']), 'an error is logged once')
  await clock.advance(40 * minute)
  isDown = false
  t.strictSame(runs(), [])
  await clock.advance(minute)
  t.strictSame(runs(), ['a 11:00 (11:11)'])
})

t.test('schemas() may throw synchronously', async (t) => {
  const { scheduler, clock, logs } = useScheduler(t, { schemas: () => { throw new TypeError('not yet') } })
  scheduler.start()
  await clock.advance(0)
  t.strictSame(logs.map(({ level, details }) => [level, details]), [['error', { reason: 'TypeError' }]])
})

t.test('when the last slot is unknown the query is retried, and other schemas are served', async (t) => {
  let failures = 2
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    lastSlot: async (schema) => {
      if (schema === 'a' && failures-- > 0) throw new Error('down')
      return new Date('2026-11-22T09:00:00Z')
    }
  })
  scheduler.start()
  await clock.advance(0)
  t.strictSame(runs(), ['b 10:00 (10:30)'])
  await clock.advance(minute)
  t.strictSame(runs(), ['a 10:00 (10:30)'])
  t.strictSame(logs.map(({ level }) => level).filter((level) => level !== 'info'), ['error', 'debug'])
})

t.test('nextRunAt() returns the next slot between start() and stop()', async (t) => {
  const { scheduler, clock } = useScheduler(t)
  t.equal(scheduler.nextRunAt(), null)
  scheduler.start()
  t.strictSame(scheduler.nextRunAt(), new Date('2026-11-22T11:00:00Z'))
  await clock.advance(45 * minute)
  t.strictSame(scheduler.nextRunAt(), new Date('2026-11-22T12:00:00Z'))
  await scheduler.stop()
  t.equal(scheduler.nextRunAt(), null)
})

t.test('stop() aborts the current run, waits for it, and no run starts afterwards', async (t) => {
  let end = (_outcome: SlotOutcome): void => {}
  let signal: AbortSignal | undefined
  const { scheduler, clock, runs, logs } = useScheduler(t, {
    run: async (_schema, _slot, given) => { signal = given; return await new Promise((resolve) => { end = resolve }) }
  })
  scheduler.start()
  await clock.advance(30 * minute)
  t.equal(signal?.aborted, false)
  let isStopped = false
  const stopping = scheduler.stop().then(() => { isStopped = true })
  t.equal(signal?.aborted, true)
  await clock.advance(5 * hour)
  t.equal(isStopped, false)
  end('retry')
  await stopping
  await clock.advance(5 * hour)
  scheduler.start()
  await clock.advance(5 * hour)
  t.strictSame(runs(), ['a 11:00 (11:00)'])
  t.strictSame(logs, [])
  await scheduler.stop()
})

t.test('a run that rejects because it was aborted is not logged', async (t) => {
  const { scheduler, clock, logs } = useScheduler(t, {
    run: async (_schema, _slot, signal) =>
      await new Promise((_resolve, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            reject(signal.reason)
          },
          { once: true }
        )
      })
  })
  scheduler.start()
  await clock.advance(30 * minute)
  await t.resolves(scheduler.stop())
  t.strictSame(logs, [])
})

t.test('stop() does not wait for schemas() or lastSlot(), and no run starts when they return', async (t) => {
  for (const hanging of ['schemas', 'lastSlot']) {
    let answer = (): void => {}
    const wait = async (): Promise<void> => { await new Promise<void>((resolve) => { answer = resolve }) }
    let asked = 0
    const { scheduler, clock, runs } = useScheduler(t, {
      schemas: async () => {
        if (hanging === 'schemas') await wait()
        return ['a', 'b']
      },
      lastSlot: async () => {
        asked++
        if (hanging === 'lastSlot') await wait()
        return new Date('2026-11-22T09:00:00Z')
      }
    })
    scheduler.start()
    await clock.advance(0)
    await scheduler.stop()
    answer()
    await clock.advance(5 * hour)
    t.strictSame(runs(), [], hanging)
    t.equal(asked, hanging === 'schemas' ? 0 : 1)
  }
})

t.test('a scheduler can be stopped before its start, and does not start afterwards', async (t) => {
  const { scheduler, clock, runs } = useScheduler(t)
  await scheduler.stop()
  scheduler.start()
  await clock.advance(5 * hour)
  t.strictSame(runs(), [])
  t.equal(scheduler.nextRunAt(), null)
})

t.test('no listener stays on the signal of the runs', async (t) => {
  const { scheduler, clock, listeners } = useScheduler(t)
  scheduler.start()
  await clock.advance(20 * hour)
  t.equal(listeners(), 1, 'the listener of the wait for the next slot')
  await scheduler.stop()
  await clock.advance(0)
  t.equal(listeners(), 0)
})

t.test('a cadence that fails ends the schedule with an error in the log', async (t) => {
  const broken: Cadence = { ...hourly, next: () => { throw new TypeError('broken') } }
  const { scheduler, clock, logs } = useScheduler(t, { cadence: broken })
  scheduler.start()
  await clock.advance(hour)
  t.strictSame(logs, [{ level: 'error', details: { reason: 'TypeError' }, message: 'the schedule has ended' }])
})

t.test('the default clock is the machine\'s', async (t) => {
  const scheduler = createScheduler({
    cadence: hourly,
    schemas: () => [],
    lastSlot: async () => null,
    run: async () => 'done',
    concurrency: 2,
    logger: { debug () {}, info () {}, warn () {}, error () {} }
  })
  const before = Date.now()
  scheduler.start()
  const next = scheduler.nextRunAt()?.getTime() ?? 0
  t.ok(next > before && next <= Date.now() + hour)
  await scheduler.stop()
})
