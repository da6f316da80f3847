import { constants } from 'node:os'
import t from 'tap'
import { lowerPriority } from '../../lib/worker/lower-priority.ts'

t.test('the thread it is called in goes behind the others, where a thread has a priority', async (t) => {
  const calls: number[][] = []
  for (const platform of ['linux', 'darwin', 'win32'] as const) lowerPriority(platform, (...call) => { calls.push(call) })
  t.strictSame(calls, [[0, constants.priority.PRIORITY_BELOW_NORMAL]])
})

t.test('where that is not allowed, it stays as it is', async (t) => {
  t.doesNotThrow(() => { lowerPriority('linux', () => { throw new Error('EPERM') }) })
})
