import type { KeepRules } from '../../types/index.ts'

/** Returns the name of the period, in UTC, that contains a time. */
const periods: Record<keyof KeepRules, (time: Date) => string> = {
  hourly: (time) => time.toISOString().slice(0, 13),
  daily: (time) => time.toISOString().slice(0, 10),
  weekly: (time) => mondayOf(time).toISOString().slice(0, 10),
  monthly: (time) => time.toISOString().slice(0, 7),
  yearly: (time) => time.toISOString().slice(0, 4)
}

/** Weeks begin on Monday (ISO 8601). */
function mondayOf (time: Date): Date {
  const day = (time.getUTCDay() + 6) % 7
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate() - day))
}

const words: Record<keyof KeepRules, string> = {
  hourly: 'hour',
  daily: 'day',
  weekly: 'week from',
  monthly: 'month',
  yearly: 'year'
}

/**
 * Returns the newest snapshot of each of the last N periods that have one, with reasons such as `the newest of day
 * 2026-11-22`. Pure.
 * @param newestFirst `time` in ISO 8601
 */
export function keepPeriods<T extends { time: string }> (newestFirst: T[], rules: KeepRules): Map<T, string[]> {
  const kept = new Map<T, string[]>()
  for (const kind of Object.keys(periods) as Array<keyof KeepRules>) {
    const seen = new Set<string>()
    for (const snapshot of newestFirst) {
      const period = periods[kind](new Date(snapshot.time))
      if (seen.has(period) || seen.size >= (rules[kind] ?? 0)) continue
      seen.add(period)
      kept.set(snapshot, [...kept.get(snapshot) ?? [], `the newest of ${words[kind]} ${period}`])
    }
  }
  return kept
}
