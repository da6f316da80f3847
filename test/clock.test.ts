import { getEventListeners } from 'node:events'
import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { pause, systemClock } from '../lib/clock.ts'
import { createManualClock } from './support/manual-clock.ts'

/** Keeps the process alive, which the timers of the clock do not. */
function keepAlive (t: Test): void {
  const timer = setInterval(() => {}, 1000)
  t.after(() => { clearInterval(timer) })
}

t.test('now() returns the system time', async (t) => {
  const before = Date.now()
  const now = systemClock.now().getTime()
  t.ok(now >= before && now <= Date.now())
})

t.test('wait() resolves after the given time and leaves no listener', async (t) => {
  keepAlive(t)
  const { signal } = new AbortController()
  const ended: number[] = []
  await Promise.all([40, 1, 20].map(async (ms) => {
    t.equal(await systemClock.wait(ms, signal), undefined)
    ended.push(ms)
  }))
  t.strictSame(ended, [1, 20, 40])
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('a wait longer than the maximum of a timer does not end at once, and an abort ends it', async (t) => {
  keepAlive(t)
  const controller = new AbortController()
  const long = systemClock.wait(2 ** 40, controller.signal)
  const first = await Promise.race([
    long.then(() => 'long'), systemClock.wait(20, controller.signal).then(() => 'short')
  ])
  t.equal(first, 'short')
  controller.abort()
  await t.rejects(long, { name: 'AbortError' })
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
  await t.rejects(systemClock.wait(1, controller.signal), { name: 'AbortError' })
})

t.test('a wait does not keep the process alive', async (t) => {
  const module = new URL('../lib/clock.js', import.meta.url).href
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '--eval',
    `const { systemClock } = await import(${JSON.stringify(module)})
    let outcome = 'exited before the wait ended'
    systemClock.wait(10_000, new AbortController().signal).then(() => { outcome = 'waited' })
    process.on('exit', () => console.log(outcome))`], { encoding: 'utf8' })
  t.equal(stdout.trim(), 'exited before the wait ended')
  t.equal(status, 0)
})

t.test('a pause lasts as long as it was asked to, however early the waits end', async (t) => {
  const clock = createManualClock('2026-11-22T10:00:00.000Z')
  let ended = false
  const pausing = pause(clock, 60_000, new AbortController().signal).then(() => { ended = true })
  await clock.set('2026-11-22T10:00:59.999Z')
  t.equal(ended, false)
  t.strictSame(clock.waits, [60_000, 1])
  await clock.advance(1)
  await pausing
  t.ok(ended)
})

t.test('a pause rejects when a wait fails', async (t) => {
  const { now } = createManualClock('2026-11-22T10:00:00.000Z')
  const wait = async (): Promise<void> => { throw new Error('the wait failed') }
  await t.rejects(pause({ now, wait }, 60_000, new AbortController().signal), { message: 'the wait failed' })
})

t.test('a pause ends when the clock is set back, or the signal aborts', async (t) => {
  const clock = createManualClock('2026-11-22T10:00:00.000Z')
  const pausing = pause(clock, 60_000, new AbortController().signal)
  await clock.set('2026-11-22T09:59:59.999Z')
  await pausing
  const aborting = new AbortController()
  const aborted = pause(clock, 60_000, aborting.signal)
  aborting.abort()
  await aborted
  t.strictSame(clock.waits, [60_000, 60_000])
})
