import t from 'tap'
import { createProgressTotals, type RunTotals } from '../../lib/runs/progress-totals.ts'
import type { PhaseProgress } from '../../lib/snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'

const restore = { verify: 15, snapshot: 20, load: 60 }
const nothing: RunTotals = { shares: { verify: 100 }, fileBytes: null, lastSnapshot: null }

const report = (phase: Progress['phase'], rest: Partial<PhaseProgress> = {}): PhaseProgress => ({
  phase, table: 'users', tables: 1, tablesDone: 0, rows: 0, rowsTotal: null, bytes: 0, estimated: false, ...rest
})

/** Reports at the times given; returns percent and etaMs of each. */
function progressOf (
  totals: RunTotals, reports: Array<[atMs: number, PhaseProgress]>
): Array<[percent: number | null, etaMs: number | null]> {
  let time = 1000
  const total = createProgressTotals(totals, () => time)
  return reports.map(([atMs, progress]) => {
    time = 1000 + atMs
    const { percent, etaMs } = total(progress)
    return [percent, etaMs]
  })
}

t.test('percent is that of the run, by the shares of its phases, and etaMs follows from its rate', async (t) => {
  const reports: Array<[number, PhaseProgress]> = [
    [0, report('verify')],
    [100, report('verify', { bytes: 100 })],
    [300, report('verify', { bytes: 200, table: null })],
    [400, report('snapshot', { rows: 5, rowsTotal: 10, estimated: true })],
    [500, report('snapshot', { rows: 10, rowsTotal: 10, table: null })],
    [600, report('load', { bytes: 100 })],
    [950, report('load', { bytes: 200 })]
  ]
  t.strictSame(progressOf({ shares: restore, fileBytes: 200, lastSnapshot: null }, reports), [
    [0, null], [7, 1233], [15, 1700], [25, 1200], [35, 929], [65, 323], [95, 50]
  ])
})

t.test('a run has never 100 percent before its end', async (t) => {
  const complete = report('verify', { bytes: 300, rows: 3, rowsTotal: 3, table: null })
  t.strictSame(progressOf({ ...nothing, fileBytes: 200 }, [[1000, complete]]), [[99, 0]])
})

t.test('percent never decreases, also when the file is read again', async (t) => {
  const reports = [90, 10, 95].map((bytes): [number, PhaseProgress] => [0, report('verify', { bytes })])
  t.strictSame(progressOf({ ...nothing, fileBytes: 100 }, reports).map(([percent]) => percent), [90, 90, 95])
})

t.test('rows count where the size is not known, and without any total nothing is known', async (t) => {
  t.strictSame(progressOf(nothing, [[100, report('verify', { rows: 1, rowsTotal: 4, bytes: 9 })]]), [[25, 300]])
  t.strictSame(progressOf(nothing, [[100, report('verify', { bytes: 9 })]]), [[null, null]])
  t.strictSame(progressOf(nothing, [[100, report('verify', { rowsTotal: 0, table: null })]]), [[null, null]])
})

t.test('a phase without a total stays at its start, if the others have one', async (t) => {
  const reports: Array<[number, PhaseProgress]> = [
    [100, report('snapshot', { rows: 7 })], [200, report('load', { bytes: 50 })]
  ]
  t.strictSame(progressOf({ shares: restore, fileBytes: 100, lastSnapshot: null }, reports), [[15, null], [65, 108]])
})

t.test('the last snapshot is the estimate, which is never below what was processed', async (t) => {
  const lastSnapshot = { rows: 10, bytes: 200 }
  const total = createProgressTotals({ shares: { snapshot: 95 }, fileBytes: null, lastSnapshot }, () => 0)
  const totalsOf = (progress: PhaseProgress): unknown[] => {
    const { rowsTotal, bytesTotal, estimated, percent } = total(progress)
    return [rowsTotal, bytesTotal, estimated, percent]
  }
  const estimated = true
  t.strictSame(totalsOf(report('snapshot', { rows: 1, bytes: 20, rowsTotal: 99, estimated })), [10, 200, true, 9])
  t.strictSame(totalsOf(report('snapshot', { rows: 11, bytes: 250, rowsTotal: 99, estimated })), [11, 250, true, 95])
  t.strictSame(totalsOf(report('snapshot', { table: null, rows: 12, rowsTotal: 12, bytes: 260 })), [12, 260, false, 95])
})

t.test('without a last snapshot, the estimate is that of the catalog', async (t) => {
  const total = createProgressTotals({ ...nothing, shares: { snapshot: 95 } }, () => 0)
  t.match(total(report('snapshot', { rows: 5, rowsTotal: 10, estimated: true })),
    { rowsTotal: 10, bytesTotal: null, estimated: true, percent: 47 })
  t.match(total(report('snapshot', { rows: 12, rowsTotal: 10, estimated: true })), { rowsTotal: 12, percent: 95 })
})
