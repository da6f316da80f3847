import { constants, getPriority } from 'node:os'
import t from 'tap'
import { ReadPacer } from '../../lib/postgres/driver/paced-reads.ts'
import { prepareThread } from '../../lib/worker/prepare-thread.ts'

t.test('the thread of a run has a lower priority, and pauses between small reads', async (t) => {
  const waits = t.capture(Atomics, 'wait', () => 'timed-out' as const)
  const before = getPriority()
  prepareThread()
  if (process.platform === 'linux') t.equal(getPriority(), Math.max(before, constants.priority.PRIORITY_BELOW_NORMAL))
  const pacer = new ReadPacer()
  pacer.afterRead(1024 * 1024)
  pacer.afterRead(8 * 1024)
  t.equal(waits().length, 1)
})
