import t from 'tap'
import fc from '../support/fast-check.ts'
import type { Backup } from '../../types/index.ts'
import { nearestIndex, niceScale, toDays, toPoints } from '../../ui/src/parts/history.ts'

const suspect = [{ table: null, rowsBefore: 9, rows: 1 }]
const backup = (startedAt: Date, changes: Partial<Backup> = {}): Backup => {
  const common = {
    status: 'completed',
    trigger: 'scheduled',
    suspect: null,
    accepted: false,
    available: true,
    partial: false,
    verification: null
  } as const
  return { ...common, startedAt: startedAt.toISOString(), ...changes } as Backup
}

t.test('the history has finished runs of the schedule and of callers, oldest first', async (t) => {
  const at = (minute: number): Date => new Date(2026, 10, 27, 12, minute)
  const points = toPoints([
    backup(at(6)),
    backup(at(5), { trigger: 'manual', status: 'restored' }),
    backup(at(4), { trigger: 'import' }),
    backup(at(3), { trigger: 'pre_restore' }),
    backup(at(2), { status: 'running' }),
    backup(at(1), { status: 'failed', available: false }),
    backup(at(0), { suspect, accepted: true }),
    backup(at(-1), { suspect }),
    backup(at(-2), { suspect, available: false }),
    backup(at(-3), { partial: true }),
    backup(at(-4), { verification: { ok: false, at: '', problems: [] } })
  ])
  t.strictSame(points.map(({ time, kind }) => [new Date(time).getMinutes(), kind]),
    [[56, 'missing'], [58, 'missing'], [59, 'suspect'], [0, 'good'], [1, 'failed'], [5, 'good'], [6, 'good']])
})

t.test('the best run of a day counts, and days are those of the reader', async (t) => {
  const now = new Date(2026, 10, 27, 0, 30)
  const points = toPoints([
    backup(new Date(2026, 10, 27, 0, 10), { status: 'failed' }),
    backup(new Date(2026, 10, 26, 23, 50), { status: 'failed' }),
    backup(new Date(2026, 10, 26, 1, 0)),
    backup(new Date(2026, 10, 25, 1, 0), { suspect }),
    backup(new Date(2026, 10, 25, 2, 0), { status: 'failed' }),
    backup(new Date(2026, 9, 1))
  ])
  t.strictSame(toDays(points, 4, now).map(({ date, state, runs }) => [date.getDate(), state, runs]),
    [[24, 'none', 0], [25, 'suspect', 2], [26, 'good', 2], [27, 'failed', 1]])
})

t.test('a lost file, no record, and days before the oldest run are told apart', async (t) => {
  const now = new Date(2026, 10, 27, 12)
  const points = toPoints([
    backup(new Date(2026, 10, 27, 2), { available: false }),
    backup(new Date(2026, 10, 25, 2), { available: false }),
    backup(new Date(2026, 10, 25, 3)),
    backup(new Date(2026, 10, 24, 2), { available: false }),
    backup(new Date(2026, 10, 24, 3), { suspect }),
    backup(new Date(2026, 10, 23, 2), { available: false }),
    backup(new Date(2026, 10, 23, 3), { status: 'failed', available: false })
  ])
  t.strictSame(toDays(points, 6, now).map(({ state }) => state),
    ['before', 'missing', 'suspect', 'good', 'none', 'missing'])
  t.strictSame(toDays([], 2, now).map(({ state }) => state), ['before', 'before'])
})

t.test('the nearest run within reach is the one of an exhaustive search', async (t) => {
  t.equal(nearestIndex([], 5, 30), null)
  t.equal(nearestIndex([10], 41, 30), null)
  t.equal(nearestIndex([10, 20], 15, 30), 0)
  const x = fc.integer({ min: 0, max: 300 })
  fc.assert(fc.property(fc.array(x), x, fc.integer({ min: 0, max: 40 }), (values, x, reach) => {
    const xs = values.sort((a, b) => a - b)
    const index = nearestIndex(xs, x, reach)
    const least = Math.min(...xs.map((value) => Math.abs(value - x)))
    return index === null ? !(least <= reach) : Math.abs((xs[index] ?? Infinity) - x) === least && least <= reach
  }))
})

t.test('90 days end today, whatever clocks are changed in between', async (t) => {
  const days = toDays([], 90, new Date(2026, 10, 27, 12))
  t.equal(days.length, 90)
  t.strictSame(days.map(({ date }) => [date.getHours(), date.getMinutes()]).filter(([hour]) => hour !== 0), [])
  t.equal(new Set(days.map(({ date }) => date.toDateString())).size, 90)
})

t.test('a scale begins at zero and ends at a round number', async (t) => {
  t.strictSame(niceScale([]), { max: 1, ticks: [0] })
  t.strictSame(niceScale([0, 0]), { max: 1, ticks: [0] })
  t.strictSame(niceScale([3, 7]), { max: 7.5, ticks: [0, 2.5, 5, 7.5] })
  t.strictSame(niceScale([22_000]), { max: 30_000, ticks: [0, 10_000, 20_000, 30_000] })
})

t.test('a scale of any value contains it, without more space than a step', async () => {
  fc.assert(fc.property(fc.array(fc.maxSafeNat(), { minLength: 1 }), (values) => {
    const { max, ticks } = niceScale(values)
    const largest = Math.max(...values)
    const step = ticks[1] ?? 1
    return largest <= max * (1 + 1e-9) && max - largest <= step * (1 + 1e-9) && ticks.length <= 5
  }))
})
