import t from 'tap'
import { progressInterval, throttleProgress } from '../../lib/worker/throttle-progress.ts'
import type { PhaseProgress } from '../../lib/snapshot/phase-progress.ts'

const progress = (phase: PhaseProgress['phase'], rows: number, table: string | null = 'users'): PhaseProgress => ({
  phase,
  table,
  tables: 1,
  tablesDone: 0,
  rows,
  rowsTotal: 7,
  bytes: 0,
  estimated: false
})

t.test('the first report of a phase is passed on, then one per interval, and the last', async (t) => {
  const reports: Array<[string, number]> = []
  let time = 1000
  const report = throttleProgress(({ phase, rows }) => { reports.push([phase, rows]) }, () => time)
  report(progress('verify', 1))
  report(progress('verify', 2))
  time += progressInterval - 1
  report(progress('verify', 3))
  time += 1
  report(progress('verify', 4))
  report(progress('verify', 5))
  report(progress('load', 6))
  report(progress('load', 7, null))
  t.strictSame(reports, [['verify', 1], ['verify', 4], ['load', 6], ['load', 7]])
})
