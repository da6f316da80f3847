import type { Problem } from '../../types/index.ts'
import type { Facts, ScheduleFacts } from './facts.ts'
import { newestGood } from './good-snapshots.ts'
import { about, earliest, named, problem } from './problem.ts'
import { checkAge } from './snapshot-age.ts'

export type Check = (facts: Facts) => Problem[]

/** How far clocks may differ. */
const clockToleranceMs = 60_000

function checkClock ({ clockOffsetMs }: Facts): Problem[] {
  if (Math.abs(clockOffsetMs) <= clockToleranceMs) return []
  const seconds = Math.round(Math.abs(clockOffsetMs) / 1000)
  const direction = clockOffsetMs > 0 ? 'behind' : 'ahead of'
  return [problem(
    'clock_differs', `The clock of this service is ${seconds} s ${direction} the database's; synchronize both`
  )]
}

/** Works without the database. */
export function checkStorage (
  { stored, storageMissingSince, storageTaken }: Pick<Facts, 'stored' | 'storageMissingSince' | 'storageTaken'>
): Problem[] {
  const problems: Problem[] = []
  if (stored === null) {
    problems.push(problem(
      'storage_unavailable',
      'The storage cannot be listed; check that it is reachable and that the service may read it, and see its errors ' +
      'in the log of the service'
    ))
  }
  if (storageMissingSince !== null) {
    problems.push(problem(
      'storage_missing',
      'The storage contains neither the marker nor any of the snapshots that this backup log has left there, and ' +
      'nothing is written to it; mount it again, or accept it as it is by a rescan ' +
      '(fastify-backup rescan, or fastify.backup.rescan())',
      { since: storageMissingSince }
    ))
  }
  if (storageTaken !== null) problems.push(problem('storage_taken', storageTaken))
  return problems
}

function checkFiles ({ files, stored, storageMissingSince }: Facts): Problem[] {
  // checkStorage() reports a storage that is missing or cannot be listed
  if (stored === null || storageMissingSince !== null) return []
  const missing = files.filter(({ filename, isExpected }) => isExpected && !stored.has(filename))
  if (missing.length === 0) return []
  const names = named(missing.map(({ filename }) => filename))
  return [problem(
    'files_missing',
    `Completed backups have no file in the storage: ${names}; put the files back, delete the backups, or accept the ` +
    'loss by a rescan (fastify-backup rescan, or fastify.backup.rescan())',
    about(missing)
  )]
}

function checkUnknown ({ unknown }: Facts): Problem[] {
  if (unknown.length === 0) return []
  return [problem(
    'files_unknown',
    `Files in the storage have no row in the log: ${named(unknown)}; adopt those that are snapshots by a rescan ` +
    '(fastify-backup rescan, or fastify.backup.rescan()), and move the others elsewhere'
  )]
}

function checkRuns ({ failing }: Facts): Problem[] {
  const [first] = failing
  if (first === undefined) return []
  const schemas = named(failing.map(({ schema }) => schema))
  const reason = failing.length === 1 ? first.error : 'see their newest failed backups'
  return [problem(
    'run_failed',
    `The last run of ${schemas} failed: ${reason}; remove the cause and make a backup, or wait for the next run of ` +
    'the schedule',
    { since: earliest(failing.map(({ since }) => new Date(since))), ...about(failing) }
  )]
}

function checkDamaged ({ files, stored }: Facts): Problem[] {
  const damaged = files.filter(({ filename, damagedAt }) => damagedAt !== null && (stored?.has(filename) ?? true))
  if (damaged.length === 0) return []
  const names = named(damaged.map(({ filename }) => filename))
  return [problem(
    'snapshot_damaged',
    `The last verification found snapshots damaged: ${names}; delete them, or put the files back and verify again`,
    { since: earliest(damaged.map(({ damagedAt }) => new Date(String(damagedAt)))), ...about(damaged) }
  )]
}

function checkSuspects ({ suspects, files, stored }: Facts): Problem[] {
  const [first] = suspects
  if (first === undefined) return []
  const good = newestGood(files, stored).get(first.schema)
  const held = good === undefined
    ? 'no good snapshot before it is available: accept the loss'
    : `the snapshots before it are held: restore that of ${new Date(good.startedAt).toISOString()} (${good.id}), ` +
      'or accept the loss'
  const lost = first.suspect
    .map(({ table, rowsBefore, rows }) => `${table ?? 'all tables together'} from ${rowsBefore} to ${rows} rows`)
    .join(', ')
  const others = suspects.length > 1 ? `; so have ${named(suspects.slice(1).map(({ schema }) => schema))}` : ''
  const ids = suspects.length > 1 ? named(suspects.map(({ schema, id }) => `${id} (${schema})`)) : first.id
  return [problem(
    'suspect_snapshot',
    `The newest snapshot of ${first.schema} lost many rows: ${lost}${others}; ${held} of ${ids} ` +
    '(Accept on its page, or fastify-backup accept)',
    { since: earliest(suspects.map(({ since }) => new Date(since))), ...about(suspects) }
  )]
}

function checkUndeletable ({ undeletable }: Facts): Problem[] {
  if (undeletable.length === 0) return []
  const names = named(undeletable.map(({ filename }) => filename))
  return [problem(
    'file_undeletable',
    `Files of removed backups cannot be deleted: ${names}; delete them by hand, or make them deletable`,
    { since: earliest(undeletable.map(({ since }) => new Date(since))), ...about(undeletable) }
  )]
}

function checkFuture ({ files, databaseNow }: Facts): Problem[] {
  const latest = databaseNow.getTime() + clockToleranceMs
  const ahead = files.filter(({ startedAt }) => Date.parse(startedAt) > latest)
  if (ahead.length === 0) return []
  return [problem(
    'snapshot_in_future',
    `Snapshots are dated later than the database's clock: ${named(ahead.map(({ filename }) => filename))}; correct ` +
    'the clock of the service that made them, and delete them when newer ones exist',
    about(ahead)
  )]
}

/** Works without the database. */
export function checkSchemaList ({ schedule }: { schedule: Pick<ScheduleFacts, 'failure'> | null }): Problem[] {
  const failure = schedule?.failure ?? null
  if (failure === null) return []
  return [problem(
    'schemas_unknown',
    `The function schedule.schemas did not return the schemas to back up (${failure.reason}), so none is backed up; ` +
    'see why it fails',
    { since: failure.since }
  )]
}

function checkSchemas ({ schedule }: Facts): Problem[] {
  const missing = (schedule?.schemas ?? []).filter((schema) => !schedule?.existing.has(schema))
  if (missing.length === 0) return []
  return [problem(
    'schema_missing',
    `The schedule names schemas that do not exist in the database: ${named(missing)}; create them, or remove them ` +
    'from schedule.schemas',
    { schemas: missing }
  )]
}

/** In the order in which the status lists the problems. */
export const checks: Check[] = [
  checkClock, checkStorage, checkFiles, checkUnknown, checkRuns, checkSchemaList, checkSchemas, checkAge, checkDamaged,
  checkSuspects, checkUndeletable, checkFuture
]
