import t from 'tap'
import { createHealer } from '../../lib/background/healer.ts'
import { DatabaseUnavailable } from '../../lib/errors.ts'
import { matchEach } from '../support/match-each.ts'
import { createGate } from '../support/storage-double.ts'

t.test('healing is retried until it succeeds, and each failure is logged once', async (t) => {
  const gate = createGate()
  const lines: unknown[] = []
  const waits: number[] = []
  let attempts = 0
  const stopping = new AbortController()
  const healer = createHealer({
    clock: { now: () => new Date(), async wait (ms) { waits.push(ms) } },
    logger: {
      debug: (details: object, message: string) => { lines.push({ level: 'debug', ...details, message }) },
      warn: (details: object, message: string) => { lines.push({ level: 'warn', ...details, message }) }
    } as never
  }, stopping.signal, async () => {
    if (++attempts < 3) throw new DatabaseUnavailable('ECONNREFUSED')
    if (attempts < 5) throw new Error('not yet')
    if (attempts === 5) await gate.pass()
  })
  healer.request()
  await gate.reached
  healer.request()
  healer.request()
  gate.open()
  await healer.idle()
  t.equal(attempts, 6, 'requests during an attempt cause one more attempt')
  t.strictSame(waits, [5000, 5000, 5000, 5000])
  matchEach(t, lines, [
    { level: 'debug', reason: /ECONNREFUSED/, message: /^interrupted runs could not be cleaned up yet; retrying$/ },
    { level: 'warn', reason: 'An unexpected error occurred (Error); see its stack' }
  ])
  healer.request()
  await healer.idle()
  t.equal(attempts, 7)
  stopping.abort()
  healer.request()
  await healer.idle()
  t.equal(attempts, 7, 'no attempt after the abort')
})
