import t from 'tap'
import { createHealer } from '../../lib/background/healer.ts'
import { createGate } from '../support/storage-double.ts'

t.test('healing is retried until it succeeds, and the first failure is logged', async (t) => {
  const gate = createGate()
  const lines: unknown[] = []
  const waits: number[] = []
  let attempts = 0
  const stopping = new AbortController()
  const healer = createHealer({
    clock: { now: () => new Date(), async wait (ms) { waits.push(ms) } },
    logger: { warn: (details: object, message: string) => { lines.push({ ...details, message }) } } as never
  }, stopping.signal, async () => {
    if (++attempts < 4) throw new Error('not yet')
    if (attempts === 4) await gate.pass()
  })
  healer.request()
  await gate.reached
  healer.request()
  healer.request()
  gate.open()
  await healer.idle()
  t.equal(attempts, 5, 'requests during an attempt cause one more attempt')
  t.strictSame(waits, [5000, 5000, 5000])
  t.strictSame(lines, [{
    message: 'could not clean up after interrupted runs yet; retrying',
    reason: 'An unexpected error occurred (Error); see its stack'
  }])
  healer.request()
  await healer.idle()
  t.equal(attempts, 6)
  stopping.abort()
  healer.request()
  await healer.idle()
  t.equal(attempts, 6, 'no attempt after the abort')
})
