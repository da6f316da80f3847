import type { FailingSchema, HeldFile, UndeletableFile } from '../log/health-records.ts'
import type { Problem, ProblemCode } from '../../types/index.ts'
import type { WaitingSuspect } from '../consistency/holds.ts'

/** When the schedule wants a backup; see Cadence. */
export interface Slots {
  next: (after: Date) => Date
  previous: (atOrBefore: Date) => Date
}

/** The schedule, as far as it is known. */
export interface ScheduleFacts {
  slots: Slots
  /** When the service started it. */
  startedAt: Date
  schemas: string[]
  failure: { reason: string, since: Date } | null
  /** Those of `schemas` that the database has. */
  existing: Set<string>
  /** When the log first had a row of a schema. */
  firstRuns: Map<string, Date>
  /** By schema, when its run began that is under way. */
  running: Map<string, Date>
}

/** What the checks look at. */
export interface Facts {
  now: Date
  databaseNow: Date
  /** How far the database's clock is ahead, in milliseconds, at least. */
  clockOffsetMs: number
  files: HeldFile[]
  /** Names in the storage; null when it can't be asked. */
  stored: Set<string> | null
  /** Files in the storage that have no row. */
  unknown: string[]
  storageMissingSince: Date | null
  /** Why the storage is another's. */
  storageTaken: string | null
  failing: FailingSchema[]
  suspects: WaitingSuspect[]
  /** Files whose removal has begun a while ago. */
  undeletable: UndeletableFile[]
  /** Null without a schedule. */
  schedule: ScheduleFacts | null
}

export type Check = (facts: Facts) => Problem[]

const minuteMs = 60_000
/** What clocks may differ by. */
const toleranceMs = minuteMs

export const problem = (code: ProblemCode, message: string, since: Date | null = null): Problem => ({ code, message, since: since?.toISOString() ?? null })

/** At most five of them by name: there may be thousands. */
function named (names: string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

const earliest = (times: Date[]): Date => new Date(Math.min(...times.map((time) => time.getTime())))

function checkClock ({ clockOffsetMs }: Facts): Problem[] {
  const seconds = Math.round(Math.abs(clockOffsetMs) / 1000)
  return Math.abs(clockOffsetMs) <= toleranceMs
    ? []
    : [problem('clock_differs', `The clock of this service is ${seconds} s ${clockOffsetMs > 0 ? 'behind' : 'ahead of'} the database's; synchronize both`)]
}

/** Needs no database. */
export function checkStorage ({ stored, storageMissingSince, storageTaken }: Pick<Facts, 'stored' | 'storageMissingSince' | 'storageTaken'>): Problem[] {
  return [
    ...stored === null ? [problem('storage_unavailable', 'The storage can not be asked for its files; see that it is reachable and that the service may read it, and its errors in the log of the service')] : [],
    ...storageMissingSince === null
      ? []
      : [problem('storage_missing', 'The storage holds neither the marker nor any of the snapshots that this log of backups has left there, and nothing is written to it; mount it again, or call fastify.backup.rescan() to accept it as it is', storageMissingSince)],
    ...storageTaken === null ? [] : [problem('storage_taken', storageTaken)]
  ]
}

function checkFiles ({ files, stored, storageMissingSince }: Facts): Problem[] {
  // Of a storage that is missing as a whole its own problem tells
  if (stored === null || storageMissingSince !== null) return []
  const missing = files.filter(({ filename, isExpected }) => isExpected && !stored.has(filename)).map(({ filename }) => filename)
  return missing.length === 0
    ? []
    : [problem('files_missing', `${missing.length} completed backups have no file in the storage: ${named(missing)}; put the files back, delete the backups, or call fastify.backup.rescan() to accept the loss`)]
}

function checkUnknown ({ unknown }: Facts): Problem[] {
  return unknown.length === 0
    ? []
    : [problem('files_unknown', `${unknown.length} files in the storage have no row in the log: ${named(unknown)}; call fastify.backup.rescan() to adopt those that are snapshots, and move the others elsewhere`)]
}

function checkRuns ({ failing }: Facts): Problem[] {
  const [first] = failing
  if (first === undefined) return []
  const reason = failing.length === 1 ? first.error : 'see their newest failed backups'
  return [problem('run_failed', `The last run of ${named(failing.map(({ schema }) => schema))} failed: ${reason}; remove the cause and make a backup, or wait for the next run of the schedule`,
    earliest(failing.map(({ since }) => new Date(since))))]
}

function checkSuspects ({ suspects }: Facts): Problem[] {
  const [first] = suspects
  if (first === undefined) return []
  const lost = first.suspect.map(({ table, rowsBefore, rows }) => `${table ?? 'all tables together'} from ${rowsBefore} to ${rows} rows`).join(', ')
  const others = suspects.length > 1 ? `; so have ${named(suspects.slice(1).map(({ schema }) => schema))}` : ''
  const ids = suspects.length > 1 ? named(suspects.map(({ schema, id }) => `${id} (${schema})`)) : first.id
  return [problem('suspect_snapshot', `The newest snapshot of ${first.schema} lost many rows: ${lost}${others}; the snapshots before it are held: restore one of them, ` +
    `or accept the loss (accepted: true) of ${ids}`, earliest(suspects.map(({ since }) => new Date(since))))]
}

function checkUndeletable ({ undeletable }: Facts): Problem[] {
  return undeletable.length === 0
    ? []
    : [problem('file_undeletable', `${undeletable.length} files of removed backups can not be deleted: ${named(undeletable.map(({ filename }) => filename))}; ` +
      'delete them by hand, or make them deletable', earliest(undeletable.map(({ since }) => new Date(since))))]
}

function checkFuture ({ files, databaseNow }: Facts): Problem[] {
  const ahead = files.filter(({ startedAt }) => Date.parse(startedAt) > databaseNow.getTime() + toleranceMs).map(({ filename }) => filename)
  return ahead.length === 0
    ? []
    : [problem('snapshot_in_future', `${ahead.length} snapshots are dated later than the database's clock: ${named(ahead)}; correct the clock of the service that made them, and delete them when newer ones are there`)]
}

/** Needs no database. */
export function checkSchemaList ({ schedule }: { schedule: Pick<ScheduleFacts, 'failure'> | null }): Problem[] {
  const failure = schedule?.failure ?? null
  return failure === null
    ? []
    : [problem('schemas_unknown', `The function schedule.schemas does not tell which schemas to back up (${failure.reason}), so none is; see why it fails`, failure.since)]
}

function checkSchemas ({ schedule }: Facts): Problem[] {
  const missing = (schedule?.schemas ?? []).filter((schema) => !schedule?.existing.has(schema))
  return missing.length === 0
    ? []
    : [problem('schema_missing', `The schedule names schemas that the database does not have: ${named(missing)}; create them, or leave them out of schedule.schemas`)]
}

function checkAge ({ schedule, files, stored, now }: Facts): Problem[] {
  if (schedule === null || stored === null) return []
  const newest = newestOf(files.filter(({ filename, isFull }) => isFull && stored.has(filename)))
  const late = schedule.schemas.flatMap((schema) => {
    const due = dueAt(schedule, schema, newest.get(schema), now)
    return schedule.existing.has(schema) && due.getTime() < now.getTime() ? [{ schema, due }] : []
  })
  return late.length === 0
    ? []
    : [problem('snapshot_too_old', `Scheduled schemas have no available snapshot that is new enough: ${named(late.map(({ schema }) => schema))}; see their newest failed backups and the log of the service`, earliest(late.map(({ due }) => due)))]
}

function newestOf (files: HeldFile[]): Map<string, HeldFile> {
  const newest = new Map<string, HeldFile>()
  for (const file of files) {
    const before = newest.get(file.schema)
    if (before === undefined || Date.parse(before.startedAt) < Date.parse(file.startedAt)) newest.set(file.schema, file)
  }
  return newest
}

/**
 * When the schema has to have another snapshot: an interval and a grace after the newest one began, and as long besides as that one took;
 * without any, a grace after the first slot. An interval is the longer one beside the newest slot, since those of cron differ (a weekend).
 */
export function dueAt ({ slots, startedAt, firstRuns, running }: ScheduleFacts, schema: string, newest: HeldFile | undefined, now: Date): Date {
  const slot = slots.previous(now)
  const interval = Math.max(slots.next(slot).getTime() - slot.getTime(), slot.getTime() - slots.previous(new Date(slot.getTime() - 1)).getTime())
  const grace = Math.max(interval / 10, 5 * minuteMs)
  const due = newest === undefined
    ? slots.next(earliest([startedAt, firstRuns.get(schema) ?? startedAt])).getTime() + grace
    : Date.parse(newest.startedAt) + interval + grace + newest.durationMs
  // One that is being made may take its time, but not for ever
  const begun = running.get(schema)?.getTime()
  return new Date(begun !== undefined && begun >= slot.getTime() ? Math.max(due, begun + interval) : due)
}

/** In the order in which they are told. */
export const checks: Check[] = [checkClock, checkStorage, checkFiles, checkUnknown, checkRuns, checkSchemaList, checkSchemas, checkAge, checkSuspects, checkUndeletable, checkFuture]
