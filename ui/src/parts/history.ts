import type { Backup } from '../../../types/index.ts'

/** What the chart and the calendar show of a run. */
export interface Point {
  backup: Backup
  /** Milliseconds since the epoch. */
  time: number
  /** `missing`: it was completed, and its file is no longer in the storage, or is damaged. */
  kind: 'good' | 'suspect' | 'missing' | 'failed'
}

/**
 * The finished runs of the schedule and of callers, oldest first; without imports, snapshots before a restore, and
 * snapshots of a part of the tables.
 */
export function toPoints (backups: Backup[]): Point[] {
  return backups
    .filter(({ status, trigger, partial }) =>
      status !== 'running' && !partial && (trigger === 'manual' || trigger === 'scheduled'))
    .map((backup) => ({ backup, time: new Date(backup.startedAt).getTime(), kind: kindOf(backup) }))
    .sort((a, b) => a.time - b.time)
}

function kindOf ({ status, available, suspect, accepted, verification }: Backup): Point['kind'] {
  if (status === 'failed') return 'failed'
  if (!available || verification?.ok === false) return 'missing'
  return suspect !== null && !accepted ? 'suspect' : 'good'
}

/**
 * What the log knows of a day. A run whose snapshot was pruned is no longer in the log, so that a day without a record
 * may have had one. `before`: no run that is shown is as old.
 */
export type DayState = Point['kind'] | 'none' | 'before'

export interface Day { date: Date, state: DayState, runs: number }

const bestFirst = ['good', 'suspect', 'missing', 'failed'] as const

/**
 * One entry for each of the last days, in the zone of the reader, today last. The best run of a day counts.
 * @param points the oldest first
 */
export function toDays (points: Point[], days: number, now = new Date()): Day[] {
  const key = (date: Date): string => `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`
  const byDay = groupBy(points, ({ time }) => key(new Date(time)))
  const oldest = points[0]?.time ?? Infinity
  return Array.from({ length: days }, (_, index) => {
    const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() - (days - 1 - index))
    const runs = byDay.get(key(date)) ?? []
    const kinds = new Set(runs.map(({ kind }) => kind))
    const state = bestFirst.find((kind) => kinds.has(kind)) ?? (date.getTime() < oldest ? 'before' : 'none')
    return { date, state, runs: runs.length }
  })
}

export interface Scale { max: number, ticks: number[] }

/** From 0 to a round number at or above the largest value, with two to four steps. */
export function niceScale (values: number[]): Scale {
  const largest = Math.max(0, ...values)
  if (largest === 0) return { max: 1, ticks: [0] }
  const power = 10 ** Math.floor(Math.log10(largest / 2))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => largest / size <= 3) ?? power * 10
  const steps = Math.ceil(largest / step)
  return { max: steps * step, ticks: Array.from({ length: steps + 1 }, (_, index) => index * step) }
}

/** The index of the point that is nearest to `x`; null if there is none within `reach`. @param xs in ascending order */
export function nearestIndex (xs: number[], x: number, reach: number): number | null {
  let [low, high] = [0, xs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((xs[middle] ?? 0) < x) low = middle + 1
    else high = middle
  }
  const distance = (index: number): number => Math.abs((xs[index] ?? Infinity) - x)
  const nearest = distance(low - 1) <= distance(low) ? low - 1 : low
  return distance(nearest) <= reach ? nearest : null
}

/** Map.groupBy(), which Firefox 113 and Safari 16 do not have. */
function groupBy<T> (items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
