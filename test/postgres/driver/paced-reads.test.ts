import t from 'tap'
import { paceReads, ReadPacer } from '../../../lib/postgres/driver/paced-reads.ts'

const kB = 1024

/** For each read, whether a pause followed it. */
function pausesAfter (pacer: ReadPacer, pauses: { count: number }, sizes: number[]): boolean[] {
  return sizes.map((size) => {
    const before = pauses.count
    pacer.afterRead(size)
    return pauses.count > before
  })
}

t.test('a thread pauses after small reads of a long COPY', async (t) => {
  const pauses = { count: 0 }
  const pacer = new ReadPacer(() => { pauses.count++ })

  t.strictSame(pausesAfter(pacer, pauses, [1000 * kB, 8 * kB, 16 * kB, 8 * kB]), [false, false, true, true],
    'not in its first MiB')
  t.strictSame(pausesAfter(pacer, pauses, [128 * kB, 256 * kB, 127 * kB]), [false, false, true],
    'not after a read that is large anyway')
  pacer.reset()
  t.strictSame(pausesAfter(pacer, pauses, [8 * kB, 1016 * kB, 8 * kB]), [false, false, true], 'the next COPY')
})

t.test('only a thread that asked for pauses is blocked', async (t) => {
  const waits = t.capture(Atomics, 'wait', () => 'timed-out' as const)
  const pacer = new ReadPacer()
  pacer.afterRead(1024 * kB)
  pacer.afterRead(8 * kB)
  t.strictSame(waits(), [])

  paceReads()
  pacer.afterRead(8 * kB)
  t.strictSame(waits().map(({ args: [, , , ms] }) => ms), [1], 'for a millisecond')
})
