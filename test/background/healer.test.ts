import t from 'tap'
import { createHealer } from '../../lib/background/healer.ts'
import { createGate } from '../support/storage-double.ts'

t.test('healing goes on until it has succeeded, and says once that it can not yet', async (t) => {
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
  t.equal(attempts, 5, 'what was asked for in the middle takes one more')
  t.strictSame(waits, [5000, 5000, 5000])
  t.match(lines, [{ message: /could not be healed yet/, reason: /Error/ }])
  healer.request()
  await healer.idle()
  t.equal(attempts, 6)
  stopping.abort()
  healer.request()
  await healer.idle()
  t.equal(attempts, 6, 'nothing more after the end')
})
