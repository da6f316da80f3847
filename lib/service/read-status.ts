import { hasRunningRestore, type LoggedBackup } from '../log/log-row.ts'
import type { Backup, GoodSnapshot, Status, StatusQuery } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { isVisible as isVisibleTo } from '../callers/schema-access.ts'
import { hasSnapshot } from '../log/completed-backup.ts'
import type { Context } from '../runs/context.ts'
import { findHolds, findPendingSuspects, toGuarded } from '../consistency/holds.ts'
import type { Facts, ScheduleFacts, Slots } from '../health/facts.ts'
import { newestGood } from '../health/good-snapshots.ts'
import { checkSchemaList, checkStorage, checks } from '../health/health-checks.ts'
import { problem } from '../health/problem.ts'
import { isOwnError } from '../own-error.ts'
import { errorText } from '../runs/public-error.ts'
import { schemaOfFilename } from '../snapshot/file-format.ts'
import { parseSidecarName } from '../storage/sidecar-name.ts'
import { isSnapshotName } from '../storage/snapshot-name.ts'
import { toVisible, visibleSchemas } from '../callers/visible-backups.ts'
import { findOwnerBesides, storageTaken } from '../consistency/storage-ownership.ts'

interface KnownSchemas { names: string[] | null, failure: ScheduleFacts['failure'] }

/** The parts of the schedule that the status reports. */
export interface ScheduleView {
  cadence: Slots
  nextRunAt: () => Date | null
  startedAt: () => Date | null
  knownSchemas: () => Promise<KnownSchemas>
}

/** Whether the caller may see a schema. */
type IsVisible = (schema: string) => boolean

/** Everything that the status reads before the log, which may be unavailable. */
interface Inputs {
  options: Pick<Status, 'allowRestore' | 'can' | 'nextRunAt'>
  query: StatusQuery
  schedule: ScheduleView | undefined
  known: KnownSchemas | null
  /** Names in the storage; null when the storage does not answer. */
  stored: Set<string> | null
  isVisible: IsVisible
}

/**
 * The status of the service. While the database is down, it contains only what is known without the database. Lists the
 * storage once or twice, regardless of the number of backups.
 */
export async function readStatus (
  context: Context, schedule: ScheduleView | undefined, query: StatusQuery = {}
): Promise<Status> {
  checkArguments('status', query)
  const stored = await storedNames(context)
  const known = await schedule?.knownSchemas() ?? null
  const isVisible: IsVisible = (schema) => isVisibleTo(context, schema)
  const { allowRestore } = context.options
  const options = {
    allowRestore,
    can: { create: true, restore: allowRestore, import: true, remove: true },
    nextRunAt: schedule?.nextRunAt()?.toISOString() ?? null
  }
  try {
    return await readFromLog(context, { options, query, schedule, known, stored, isVisible })
  } catch (error) {
    const problems = [
      problem(isOwnError(error, 'DATABASE_UNAVAILABLE') ? 'database_unavailable' : 'log_unusable', errorText(error)),
      ...checkStorage({ stored, storageMissingSince: context.presence.missingSince(), storageTaken: null }),
      ...checkSchemaList({ schedule: known })
    ]
    return { healthy: false, problems, ...options, ...unknown }
  }
}

const unknown = { running: [], newest: [], newestGood: [], newestNext: null, bytesHeld: null }

async function readFromLog (context: Context, inputs: Inputs): Promise<Status> {
  const running = (await context.log.running()).filter((logged) => {
    return inputs.isVisible(logged.backup.schema) && isRunning(toVisible(context, logged))
  })
  const facts = await gatherFacts(context, inputs, await scheduleFacts(context, inputs, running))
  const problems = checks.flatMap((check) => check(facts))
  return {
    healthy: problems.length === 0,
    problems,
    ...inputs.options,
    running: await describeAll(context, running, facts.stored),
    ...await newestPage(context, inputs.query, facts),
    bytesHeld: bytesOf(facts)
  }
}

const isRunning = (backup: LoggedBackup['backup']): boolean => backup.status === 'running' || hasRunningRestore(backup)

function bytesOf ({ files, stored }: Facts): number | null {
  if (stored === null) return null
  return files.filter(({ filename }) => stored.has(filename)).reduce((sum, { storedBytes }) => sum + storedBytes, 0)
}

async function storedNames ({ storage }: Context): Promise<Set<string> | null> {
  return await storage.list().then((stored) => new Set(stored.map(({ name }) => name)), () => null)
}

async function describeAll (
  context: Context, backups: LoggedBackup[], stored: Set<string> | null
): Promise<Backup[]> {
  const holds = await findHolds(context, backups.map(({ backup }) => backup.schema))
  return backups.map((logged) => {
    const backup = toVisible(context, logged)
    if (!hasSnapshot(backup)) return { ...backup, available: false, held: false }
    const available = stored?.has(backup.filename) === true
    return { ...backup, available, held: holds(backup.schema).isHeld(toGuarded(logged)) }
  })
}

const defaultPage = 100

async function newestPage (
  context: Context, { schema, after, limit = defaultPage }: StatusQuery, { files, stored }: Facts
): Promise<Pick<Status, 'newest' | 'newestGood' | 'newestNext'>> {
  const visible = await visibleSchemas(context)
  const page = await context.log.newestPage({ schema, after, limit: limit + 1, visible })
  const newest = page.slice(0, limit)
  const last = page.length > limit ? newest.at(-1) : undefined
  return {
    newest: await describeAll(context, newest, stored),
    newestGood: await describeGood(context, newest.map(({ backup }) => backup.schema), { files, stored }),
    newestNext: last?.backup.schema ?? null
  }
}

async function describeGood (
  context: Context, schemas: string[], { files, stored }: Pick<Facts, 'files' | 'stored'>
): Promise<GoodSnapshot[]> {
  if (stored === null) return []
  const good = newestGood(files, stored)
  const logged = await context.log.snapshotsById(schemas.flatMap((name) => good.get(name)?.id ?? []))
  const backups = new Map((await describeAll(context, logged, stored)).map((backup) => [backup.schema, backup]))
  return schemas.map((name) => ({ schema: name, backup: backups.get(name) ?? null }))
}

async function gatherFacts (
  context: Context, { stored: names, isVisible }: Inputs, schedule: ScheduleFacts | null
): Promise<Facts> {
  const { log, presence } = context
  const clocks = await compareClocks(context)
  const { files, stored } = await compareFiles(context, names)
  const failing = await log.failingSchemas()
  const owner = stored === null ? undefined : await findOwnerBesides(context, [...stored])
  await presence.check()
  const isOurs = owner === undefined && presence.missingSince() === null
  return {
    ...clocks,
    files: files.filter(({ schema }) => isVisible(schema)),
    stored,
    unknown: stored === null || !isOurs ? [] : await findUnknown(context, stored, files, isVisible),
    storageMissingSince: presence.missingSince(),
    storageTaken: owner === undefined ? null : storageTaken(owner).message,
    failing: failing.filter(({ schema }) => isVisible(schema)),
    suspects: (await findPendingSuspects(context)).filter(({ schema }) => isVisible(schema)),
    undeletable: (await log.undeletableFiles()).filter(({ schema }) => isVisible(schema)),
    schedule
  }
}

/**
 * A file that was published or pruned after the storage was listed and before the log was read is not missing. So both
 * are read again when a file seems to be missing.
 */
async function compareFiles (
  context: Context, names: Set<string> | null
): Promise<Pick<Facts, 'files' | 'stored'>> {
  const files = await context.log.loggedFiles()
  if (names === null || files.every(({ filename }) => names.has(filename))) return { files, stored: names }
  const stored = await storedNames(context)
  const still = new Set((await context.log.loggedFiles()).map(({ filename }) => filename))
  return { files: files.filter(({ filename }) => still.has(filename)), stored }
}

/**
 * Files without a row that the caller may see. Lists the storage again when it finds any: the row of a pruned backup is
 * deleted after its file, so a file whose row was deleted after the first list may no longer exist.
 */
async function findUnknown (
  context: Context, stored: Set<string>, files: Facts['files'], isVisible: IsVisible
): Promise<string[]> {
  const logged = new Set(files.map(({ filename }) => filename))
  const isVisibleFile = (name: string): boolean => {
    if (!context.options.areCallersBounded) return true
    const schema = schemaOfFilename(name)
    return schema !== undefined && isVisible(schema)
  }
  const isSnapshot = (name: string): boolean => isSnapshotName(name) && parseSidecarName(name) === undefined
  const others = [...stored].filter((name) => !logged.has(name) && isSnapshot(name) && isVisibleFile(name))
  const unknown = others.length === 0 ? [] : await context.log.unknownFiles(others)
  const still = unknown.length === 0 ? null : await storedNames(context)
  return unknown.filter((name) => still?.has(name))
}

/**
 * The database reads its clock at some moment between the start and the end of the query. So only a time outside these
 * two proves a difference.
 */
async function compareClocks ({ log, clock }: Context): Promise<Pick<Facts, 'now' | 'databaseNow' | 'clockOffsetMs'>> {
  const before = clock.now().getTime()
  const databaseNow = await log.databaseTime()
  const now = clock.now()
  const time = databaseNow.getTime()
  const clockOffsetMs = time > now.getTime() ? time - now.getTime() : Math.min(0, time - before)
  return { now, databaseNow, clockOffsetMs }
}

async function scheduleFacts (
  { log, clock }: Context, { schedule, known, isVisible }: Inputs, running: LoggedBackup[]
): Promise<ScheduleFacts | null> {
  if (schedule === undefined || known === null) return null
  // A script that runs no schedule itself also reports that of the service, whose first run is in the log
  const startedAt = schedule.startedAt() ?? clock.now()
  const schemas = (known.names ?? []).filter(isVisible)
  const runningBackups = running.map(({ backup }) => backup).filter(({ status }) => status === 'running')
  return {
    slots: schedule.cadence,
    startedAt,
    schemas,
    failure: known.failure,
    existing: await log.existingSchemas(schemas),
    firstRuns: await log.firstRuns(schemas),
    running: new Map(runningBackups.map((backup) => [backup.schema, new Date(backup.startedAt)]))
  }
}
