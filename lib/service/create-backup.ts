import { randomUUID } from 'node:crypto'
import type { NewRun } from '../log/run-records.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { Backup, CompletedBackup, CreateOptions } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { requireAllowed } from '../callers/schema-access.ts'
import { type Context, logTable, spoolPath } from '../runs/context.ts'
import type { Begun } from './backup-engine.ts'
import { type ErrorCode, isOwnError } from '../own-error.ts'
import { outcomeOf } from '../runs/public-error.ts'
import { createBackupProgress } from '../runs/report-progress.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createSnapshotRecord, type SnapshotRecord, SlotTaken } from '../consistency/snapshot-record.ts'
import type { Run } from '../runs/active-runs.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/** The slot of a scheduled run, and the cron expression that the slot belongs to. */
export interface ScheduledSlot { slot: Date, cron: string }

/** A backup in progress. */
interface Creation {
  request: CreateOptions
  run: Run
  newRun: NewRun
  snapshotRecord: SnapshotRecord
  onBegun: (backup: Backup) => void
}

/**
 * @param scheduled null for a backup that a caller requested
 * @throws SlotTaken when another run has claimed the slot
 */
export async function beginCreate (
  context: Context, request: CreateOptions = {}, scheduled: ScheduledSlot | null = null
): Promise<Begun<CompletedBackup>> {
  checkArguments('create', request)
  const schema = requireAllowed(context, request.schema ?? context.options.schema)
  await context.log.prepare()
  await requireOwnStorage(context)
  await context.presence.require()
  const run = await context.runs.begin(request.signal)
  const newRun: NewRun = {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, run.startedAt),
    trigger: scheduled === null ? 'manual' : 'scheduled',
    createdBy: request.actor ?? null,
    cron: scheduled?.cron ?? null,
    note: request.note ?? null,
    startedAt: run.startedAt,
    slot: scheduled?.slot ?? null,
    partial: (request.excludeTables ?? []).length > 0
  }
  const snapshotRecord = createSnapshotRecord(context, newRun)
  return await new Promise((resolve, reject) => {
    const onBegun = (backup: Backup): void => { resolve({ backup, finished }) }
    const finished = performCreate(context, { request, run, newRun, snapshotRecord, onBegun }).finally(run.end)
    // If the run never began, the caller has no `finished`, so the rejection goes to this promise
    finished.catch(reject)
  })
}

async function performCreate (context: Context, creation: Creation): Promise<CompletedBackup> {
  const { events } = context
  const { id, schema, trigger } = creation.newRun
  try {
    const backup = await writeBackup(context, creation)
    events.emit('backup:completed', backup)
    if (backup.suspect !== null) reportSuspect(context, backup)
    await pruneAfterRun(context, schema, trigger, id)
    return backup
  } catch (error) {
    if (creation.snapshotRecord.hasBegun()) events.emit('backup:failed', { id, schema, error: error as Error })
    throw error
  }
}

function reportSuspect ({ events, logger }: Context, backup: CompletedBackup): void {
  const { id, schema, suspect } = backup
  logger.warn(
    { id, schema, suspect },
    'a backup has far fewer rows than those before it, which are held until this one is accepted or a restore succeeds'
  )
  events.emit('backup:suspect', backup)
}

async function writeBackup (context: Context, creation: Creation): Promise<CompletedBackup> {
  const { request, run, newRun, snapshotRecord, onBegun } = creation
  const { options, runner, events, presence } = context
  const { id, schema, trigger, note, startedAt, partial } = newRun
  try {
    await context.adoptAfterLoss()
    await runner.takeSnapshot({
      id,
      schema,
      trigger,
      note,
      createdAt: startedAt.toISOString(),
      partial,
      spoolPath: spoolPath(context, id),
      excludeTables: [...options.excludeTables, ...request.excludeTables ?? []],
      logTable: logTable(context)
    }, {
      async onLocked () {
        await presence.prepare()
        const backup = await snapshotRecord.begin()
        events.emit('backup:started', backup)
        onBegun(backup)
      },
      onWritten: snapshotRecord.publish,
      onProgress: createBackupProgress(context, id, request.onProgress),
      signal: run.signal
    })
  } catch (error) {
    if (error instanceof SlotTaken) throw error
    const failure = outcomeOf(error, run.signal)
    if (!snapshotRecord.hasBegun() && isRefusal(failure)) throw failure
    await snapshotRecord.fail(failure)
  }
  return snapshotRecord.outcome()
}

/** A refused call leaves no row in the log, unlike a run that failed before it could begin. */
const refusals: ErrorCode[] = [
  'BUSY', 'SCHEMA_NOT_FOUND', 'SHUTTING_DOWN', 'ABORTED', 'DATABASE_UNAVAILABLE', 'DATABASE_INSECURE'
]
const isRefusal = (failure: Error): boolean => refusals.some((code) => isOwnError(failure, code))
