import type { Backup } from '../../../types/index.ts'

/** What the chart and the calendar show of a run. */
export interface Point {
  backup: Backup
  /** Milliseconds since the epoch. */
  time: number
  kind: 'good' | 'suspect' | 'failed'
}

/** The finished runs of the schedule and of callers, oldest first; without imports and snapshots before a restore. */
export function toPoints (backups: Backup[]): Point[] {
  return backups
    .filter(({ status, trigger }) => status !== 'running' && (trigger === 'manual' || trigger === 'scheduled'))
    .map((backup) => ({ backup, time: new Date(backup.startedAt).getTime(), kind: kindOf(backup) }))
    .sort((a, b) => a.time - b.time)
}

function kindOf ({ status, suspect, accepted }: Backup): Point['kind'] {
  if (status === 'failed') return 'failed'
  return suspect !== null && !accepted ? 'suspect' : 'good'
}

export interface Day { date: Date, state: 'good' | 'suspect' | 'failed' | 'none', runs: number }

/** One entry for each of the last days, in the zone of the reader, today last. The best run of a day counts. */
export function toDays (points: Point[], days: number, now = new Date()): Day[] {
  const key = (date: Date): string => `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`
  const byDay = groupBy(points, ({ time }) => key(new Date(time)))
  return Array.from({ length: days }, (_, index) => {
    const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() - (days - 1 - index))
    const runs = byDay.get(key(date)) ?? []
    const state = (['good', 'suspect', 'failed'] as const).find((kind) => runs.some((run) => run.kind === kind))
    return { date, state: state ?? 'none', runs: runs.length }
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

/** Map.groupBy(), which Firefox 113 and Safari 16 do not have. */
function groupBy<T> (items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...groups.get(keyOf(item)) ?? [], item])
  return groups
}
