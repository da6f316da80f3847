import t from 'tap'
import type { Context } from '../../lib/runs/context.ts'
import { createEventHub } from '../../lib/runs/event-hub.ts'
import type { RunLog } from '../../lib/runs/log-run.ts'
import { createBackupProgress } from '../../lib/runs/report-progress.ts'
import type { Progress } from '../../types/index.ts'
import { createGate } from '../support/storage-double.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { until } from '../support/until.ts'

t.test('the log gets the progress every two seconds, and never two updates at the same time', async (t) => {
  const clock = createManualClock('2026-11-27T10:00:00.000Z')
  const gates = [createGate(), createGate(), createGate()]
  const updates: number[] = []
  let running = 0
  const log = {
    async setProgress (_id: string, { rows }: Progress) {
      t.equal(++running, 1)
      updates.push(rows)
      await gates[updates.length - 1]?.pass()
      running--
      if (updates.length === 2) throw new Error('an update that fails is not repeated')
    }
  }
  const events = createEventHub(() => {})
  const reported: number[] = []
  events.on('backup:progress', ({ progress }) => { reported.push(progress.rows) })
  const context = { clock, log, events, logger: {} } as unknown as Context
  const { onProgress } = createBackupProgress(context, 'a', null, { phase () {} } as unknown as RunLog)
  const report = async (rows: number, afterMs: number): Promise<void> => {
    await clock.advance(afterMs)
    onProgress({
      phase: 'snapshot', table: 'a', tables: 1, tablesDone: 0, rows, rowsTotal: null, bytes: 0, estimated: true
    })
  }
  await report(1, 0)
  await report(2, 1999)
  t.same(updates, [], 'none in the first two seconds')
  await report(3, 1)
  await report(4, 1999)
  await report(5, 1)
  t.same(updates, [3], 'the first update still runs')
  gates[0]?.open()
  await until(() => running === 0)
  await report(6, 1)
  t.same(updates, [3, 6])
  gates[1]?.open()
  await until(() => running === 0)
  await report(7, 1999)
  t.same(updates, [3, 6])
  await report(8, 1)
  t.same(updates, [3, 6, 8])
  gates[2]?.open()
  t.same(reported, [1, 2, 3, 4, 5, 6, 7, 8])
})
