import type { LoggedFile } from '../log/health-records.ts'
import type { Problem } from '../../types/index.ts'
import type { Facts, ScheduleFacts } from './facts.ts'
import { isGood } from './good-snapshots.ts'
import { earliest, named, problem } from './problem.ts'

const minuteMs = 60_000

export function checkAge ({ schedule, files, stored, now }: Facts): Problem[] {
  if (schedule === null || stored === null) return []
  const newest = newestOf(files.filter((file) => isGood(file, stored)))
  const late = schedule.schemas.flatMap((schema) => {
    const due = dueAt(schedule, schema, newest.get(schema), now)
    return schedule.existing.has(schema) && due.getTime() < now.getTime() ? [{ schema, due }] : []
  })
  if (late.length === 0) return []
  const schemas = named(late.map(({ schema }) => schema))
  return [problem(
    'snapshot_too_old',
    `Scheduled schemas have no good snapshot that is new enough: ${schemas} (partial, suspect and damaged snapshots ` +
    'do not count); see their newest backups and the log of the service, or create one',
    { since: earliest(late.map(({ due }) => due)), schemas: late.map(({ schema }) => schema) }
  )]
}

function newestOf (files: LoggedFile[]): Map<string, LoggedFile> {
  const newest = new Map<string, LoggedFile>()
  for (const file of files) {
    const before = newest.get(file.schema)
    if (before === undefined || Date.parse(before.startedAt) < Date.parse(file.startedAt)) newest.set(file.schema, file)
  }
  return newest
}

/**
 * When the next snapshot of the schema is due: one interval and a tolerance after the newest one began, plus the
 * duration of that one. Without any snapshot, it is due a tolerance after the first slot. The intervals of a cron
 * expression differ (at weekends, for example), so this takes the longer one of the two around the newest slot.
 */
export function dueAt (
  { slots, startedAt, firstRuns, running }: ScheduleFacts, schema: string, newest: LoggedFile | undefined, now: Date
): Date {
  const slot = slots.previous(now)
  const beforeSlot = slots.previous(new Date(slot.getTime() - 1))
  const interval = Math.max(slots.next(slot).getTime() - slot.getTime(), slot.getTime() - beforeSlot.getTime())
  const tolerance = Math.max(interval / 10, 5 * minuteMs)
  const due = newest === undefined
    ? slots.next(earliest([startedAt, firstRuns.get(schema) ?? startedAt])).getTime() + tolerance
    : Date.parse(newest.startedAt) + interval + tolerance + newest.durationMs
  // A run in progress delays the due time, but by at most one interval from its start
  const begun = running.get(schema)?.getTime()
  return new Date(begun !== undefined && begun >= slot.getTime() ? Math.max(due, begun + interval) : due)
}
