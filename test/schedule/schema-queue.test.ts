import t from 'tap'
import { createFailureHistory } from '../../lib/schedule/failure-history.ts'
import { intervalCadence } from '../../lib/schedule/interval-cadence.ts'
import { createSchemaList } from '../../lib/schedule/schema-list.ts'
import { createSchemaQueue } from '../../lib/schedule/schema-queue.ts'
import { createManualClock } from '../support/manual-clock.ts'

t.test('a schema whose retry is not due yet is not taken, and its retry decides when to fill', async (t) => {
  const clock = createManualClock('2026-11-22T10:30:00.000Z')
  const queue = createSchemaQueue({
    cadence: intervalCadence('0 */1 * * *'),
    clock,
    retryMs: 1000,
    list: createSchemaList(() => ['a', 'b'], clock),
    history: createFailureHistory(),
    report: () => t.fail('nothing is reported')
  })
  queue.retryLater('a', Date.parse('2026-11-22T10:00:00.000Z'), 'retry')
  await queue.fill()
  t.strictSame([queue.take(), queue.take()], ['b', undefined])
  const untilDue = queue.untilDue(clock.now())
  t.ok(untilDue >= 1000 && untilDue <= 1250, `${untilDue} ms`)
})
