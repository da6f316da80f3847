import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import { createSemaphore } from '../../lib/runs/semaphore.ts'
import { createRuns } from '../../lib/runs/active-runs.ts'

const tick = async (): Promise<void> => { await new Promise((resolve) => { setImmediate(resolve) }) }
const now = (): Date => new Date('2026-11-22T17:45:00.123Z')
const aborted = { code: 'FST_BACKUP_ABORTED', statusCode: 499 }
const shuttingDown = { code: 'FST_BACKUP_SHUTTING_DOWN', statusCode: 503 }

t.test('runs wait for a permit in the order of their arrival', async (t) => {
  const runs = createRuns(createSemaphore(2), now)
  const first = await runs.begin(undefined)
  const second = await runs.begin(undefined)
  const order: string[] = []
  const third = runs.begin(undefined).then((run) => { order.push('third'); return run })
  const fourth = runs.begin(undefined).then((run) => { order.push('fourth'); return run })
  await tick()
  t.strictSame(order, [])
  second.end()
  const late = runs.begin(undefined).then(() => { order.push('late') })
  ;(await third).end()
  ;(await fourth).end()
  await late
  first.end()
  t.strictSame(order, ['third', 'fourth', 'late'], 'no later run comes first')
})

t.test('start times increase, and no two are equal', async (t) => {
  const times = [123, 123, 100, 200].map((ms) => new Date(ms))
  const runs = createRuns(createSemaphore(9), () => times.shift() ?? new Date(0))
  const starts: number[] = []
  for (let run = 0; run < 4; run++) starts.push((await runs.begin(undefined)).startedAt.getTime())
  t.strictSame(starts, [123, 124, 125, 200])
})

t.test('the signal aborts a run, a waiting run, and a run that has not started to wait', async (t) => {
  const runs = createRuns(createSemaphore(1), now)
  const aborting = new AbortController()
  const run = await runs.begin(aborting.signal)
  const waiting = runs.begin(aborting.signal)
  const next = runs.begin(undefined)
  await tick()
  aborting.abort()
  await t.rejects(waiting, aborted)
  t.match(run.signal.reason, aborted)
  await t.rejects(runs.begin(aborting.signal), aborted)
  run.end()
  const last = await next
  t.equal(getEventListeners(aborting.signal, 'abort').length, 0, 'no listener is left')

  const late = new AbortController()
  const given = runs.begin(late.signal)
  const after = runs.begin(undefined)
  await tick()
  last.end()
  late.abort()
  await t.rejects(given, aborted, 'between the release of the permit and the start of the run')
  ;(await after).end()
})

t.test('stop() aborts runs, rejects waiting runs, destroys downloads, and waits for the runs', async (t) => {
  const runs = createRuns(createSemaphore(2), now)
  const stream = new Readable({ read () {} })
  runs.trackDownload('a', stream)
  t.ok(runs.isBeingRead('a'))
  const first = await runs.begin(undefined)
  const second = await runs.begin(undefined)
  const waiting = runs.begin(undefined)
  let stopped = false
  const stopping = runs.stop().then(() => { stopped = true })
  await t.rejects(waiting, shuttingDown)
  t.match(first.signal.reason, shuttingDown)
  t.ok(stream.destroyed)
  first.end()
  await tick()
  t.notOk(stopped)
  t.notOk(runs.isBeingRead('a'))
  second.end()
  await stopping

  t.throws(() => { runs.requireOpen() }, shuttingDown)
  await t.rejects(runs.begin(undefined), shuttingDown)
  const late = new Readable({ read () {} })
  t.throws(() => { runs.trackDownload('b', late) }, shuttingDown)
  t.ok(late.destroyed)
  t.notOk(runs.isBeingRead('b'))
  await runs.stop()
})
