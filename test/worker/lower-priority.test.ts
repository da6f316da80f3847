import { constants } from 'node:os'
import t from 'tap'
import { lowerPriority } from '../../lib/worker/lower-priority.ts'

t.test('on Linux the priority of the current thread is lowered', async (t) => {
  const calls: number[][] = []
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    lowerPriority(platform, (...call) => {
      calls.push(call)
    })
  }
  t.strictSame(calls, [[0, constants.priority.PRIORITY_BELOW_NORMAL]])
})

t.test('when the system refuses, the priority does not change', async (t) => {
  t.doesNotThrow(() => { lowerPriority('linux', () => { throw new Error('EPERM') }) })
})
