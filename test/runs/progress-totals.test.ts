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

t.test('percent is that of the run, by the shares of its phases until their speed is known', async (t) => {
  const reports: Array<[number, PhaseProgress]> = [
    [0, report('verify')],
    [100, report('verify', { bytes: 100 })],
    [300, report('verify', { bytes: 200, table: null })],
    [400, report('snapshot', { rows: 5, rowsTotal: 10, estimated: true })],
    [500, report('snapshot', { rows: 10, rowsTotal: 10, table: null })],
    [600, report('load', { bytes: 100 })],
    [950, report('load', { bytes: 200 })]
  ]
  t.strictSame(progressOf({ shares: restore, fileBytes: 200, lastSnapshot: null }, reports),
    [0, 7, 15, 25, 35, 65, 95].map((percent) => [percent, null]))
})

/** The progress of a restore every 100 ms; returns the time of each report as a part of the run. */
function simulate (seconds: { start: number, verify: number, snapshot: number, load: number, end: number }): Array<{
  time: number, phase: string, percent: number, etaMs: number | null, leftMs: number
}> {
  let time = 0
  const total = createProgressTotals({ shares: restore, fileBytes: 1000, lastSnapshot: null }, () => time)
  const duration = Object.values(seconds).reduce((sum, each) => sum + each, 0) * 1000
  time = seconds.start * 1000
  return (['verify', 'snapshot', 'load'] as const).flatMap((phase) => {
    const reports = seconds[phase] * 10
    return Array.from({ length: reports }, (_, index) => {
      const done = Math.round(1000 * (index + 1) / reports)
      time += 100
      const { percent, etaMs } = total(report(phase, { bytes: done, rows: done, rowsTotal: 1000 }))
      return { time: time / duration, phase, percent: Number(percent), etaMs, leftMs: duration - time }
    })
  })
}

for (const [what, seconds] of Object.entries({
  'as usual': { start: 0.5, verify: 6, snapshot: 8, load: 24, end: 2 },
  'without indexes': { start: 0.2, verify: 8, snapshot: 12, load: 17, end: 1 },
  'with many indexes': { start: 0.2, verify: 4, snapshot: 6, load: 60, end: 3 },
  'of a fast disk': { start: 2, verify: 1, snapshot: 2, load: 4, end: 0 }
})) {
  t.test(`a restore ${what}: percent and etaMs follow the time when the speed of the load is known`, async (t) => {
    const reports = simulate(seconds)
    t.ok(reports.every(({ percent }, index) => percent >= (reports[index - 1]?.percent ?? 0) && percent <= 99))
    const loads = reports.filter(({ phase }) => phase === 'load')
    t.ok(reports.every(({ phase, etaMs }) => phase === 'load' || etaMs === null))
    t.ok(loads.slice(0, 10).every(({ etaMs }) => etaMs === null))
    for (const { etaMs, leftMs } of loads.slice(10)) {
      if (Math.abs(Number(etaMs) - leftMs) > 0.1 * leftMs + 2500) t.equal(etaMs, leftMs)
    }
    const second = loads.slice(loads.length / 2)
    for (const { percent, time } of second) if (Math.abs(percent - time * 100) > 8) t.equal(percent, time * 100)
    t.ok(second.length > 10)
  })
}

t.test('a run has never 100 percent before its end', async (t) => {
  const complete = report('verify', { bytes: 300, rows: 3, rowsTotal: 3, table: null })
  t.strictSame(progressOf({ ...nothing, fileBytes: 200 }, [[1000, complete]]), [[99, null]])
})

t.test('percent never decreases, also when the file is read again', async (t) => {
  const reports = [90, 10, 95].map((bytes): [number, PhaseProgress] => [0, report('verify', { bytes })])
  t.strictSame(progressOf({ ...nothing, fileBytes: 100 }, reports).map(([percent]) => percent), [90, 90, 95])
})

t.test('rows count where the size is not known, and without any total nothing is known', async (t) => {
  t.strictSame(progressOf(nothing, [[100, report('verify', { rows: 1, rowsTotal: 4, bytes: 9 })]]), [[25, null]])
  t.strictSame(progressOf(nothing, [[100, report('verify', { bytes: 9 })]]), [[null, null]])
  t.strictSame(progressOf(nothing, [[100, report('verify', { rowsTotal: 0, table: null })]]), [[null, null]])
})

t.test('a phase without a total stays at its start, if the others have one', async (t) => {
  const reports: Array<[number, PhaseProgress]> = [
    [100, report('snapshot', { rows: 7 })], [200, report('load', { bytes: 50 })]
  ]
  t.strictSame(progressOf({ shares: restore, fileBytes: 100, lastSnapshot: null }, reports), [[15, null], [65, null]])
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

t.test('the rest of a run of one phase follows from its speed, without the time before its first report', async (t) => {
  const reports = [100, 300, 500].map((bytes, index): [number, PhaseProgress] =>
    [4000 + index * 1000, report('verify', { bytes })])
  t.strictSame(progressOf({ ...nothing, fileBytes: 1000 }, reports), [[10, null], [58, 3500], [70, 2500]])
})

t.test('an estimate that was exceeded shows nothing about the rest', async (t) => {
  const rows = (count: number): PhaseProgress => report('snapshot', { rows: count, rowsTotal: 10, estimated: true })
  const reports: Array<[number, PhaseProgress]> = [[0, rows(0)], [2000, rows(5)], [4000, rows(10)], [5000, rows(11)]]
  t.strictSame(progressOf({ ...nothing, shares: { snapshot: 100 } }, reports).map(([, etaMs]) => etaMs),
    [null, 2000, null, null])
})
