import { randomUUID } from 'node:crypto'
import type { NewRun } from '../log/run-records.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { Backup, CompletedBackup, CreateOptions } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { requireAllowed } from '../callers/schema-access.ts'
import { compressionType, type Context, destination, logTable } from '../runs/context.ts'
import type { Begun } from './backup-engine.ts'
import { type ErrorCode, isOwnError } from '../own-error.ts'
import { completedDetails, createRunLog, type RunLog } from '../runs/log-run.ts'
import { outcomeOf, publicError } from '../runs/public-error.ts'
import type { SnapshotSize } from '../runs/progress-totals.ts'
import { createBackupProgress, type RunProgress } from '../runs/report-progress.ts'
import { countsOf, traceRun } from '../runs/trace-run.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createSnapshotRecord, type SnapshotRecord, SlotTaken } from '../consistency/snapshot-record.ts'
import type { Run } from '../runs/active-runs.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/** The slot of a scheduled run, and the cron expression that the slot belongs to. */
export interface ScheduledSlot {
  slot: Date
  cron: string
  /** The run for the slot has failed before, in this process. */
  isRetry: boolean
}

type SnapshotRun = Parameters<Context['runner']['takeSnapshot']>

/** A backup in progress. */
interface Creation {
  request: CreateOptions
  run: Run
  newRun: NewRun
  snapshotRecord: SnapshotRecord
  runLog: RunLog
  /** The level of the first line. While the storage fails, a schedule makes many attempts. */
  beginLevel: 'info' | 'debug'
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
  const compression = compressionType(context)
  const newRun: NewRun = {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, run.startedAt, compression),
    compression,
    trigger: scheduled === null ? 'manual' : 'scheduled',
    createdBy: request.actor ?? null,
    cron: scheduled?.cron ?? null,
    note: request.note ?? null,
    startedAt: run.startedAt,
    slot: scheduled?.slot ?? null,
    partial: (request.excludeTables ?? []).length > 0
  }
  const snapshotRecord = createSnapshotRecord(context, newRun)
  const { id, trigger } = newRun
  const runLog = createRunLog(context, 'backup', { id, schema, trigger })
  return await new Promise((resolve, reject) => {
    const onBegun = (backup: Backup): void => { resolve({ backup, finished }) }
    const beginLevel = scheduled?.isRetry === true ? 'debug' : 'info'
    const creation = { request, run, newRun, snapshotRecord, runLog, beginLevel, onBegun } as const
    const finished = traceCreate(newRun, async () => await performCreate(context, creation)).finally(run.end)
    // If the run never began, the caller has no `finished`, so the rejection goes to this promise
    finished.catch(reject)
  })
}

/** Another replica may have taken the backup of the slot. */
const traceCreate = async (
  { id, schema, trigger }: NewRun, perform: () => Promise<CompletedBackup>
): Promise<CompletedBackup> => await traceRun('create', {
  context: { id, schema, trigger }, summarize: countsOf, isSkipped: (error) => error instanceof SlotTaken
}, perform)

async function performCreate (context: Context, creation: Creation): Promise<CompletedBackup> {
  const { events } = context
  const { runLog, newRun: { id, schema, trigger } } = creation
  try {
    const backup = await writeBackup(context, creation)
    runLog.end(completedDetails(backup))
    events.emit('backup:completed', backup)
    if (backup.suspect !== null) reportSuspect(context, backup)
    await pruneAfterRun(context, schema, trigger, id)
    return backup
  } catch (error) {
    if (creation.snapshotRecord.hasBegun()) events.emit('backup:failed', { id, schema, error: publicError(error) })
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
  const { run, newRun, snapshotRecord, runLog } = creation
  try {
    await context.adoptAfterLoss()
    await context.runner.takeSnapshot(snapshotJob(context, creation), snapshotHooks(context, creation))
  } catch (error) {
    if (error instanceof SlotTaken) throw error
    const failure = outcomeOf(error, run.signal)
    if (!snapshotRecord.hasBegun() && isRefusal(failure)) throw failure
    await snapshotRecord.fail(failure)
    // The schedule logs its failures
    const logsFailure = newRun.slot === null || isOwnError(failure, 'SHUTTING_DOWN')
    if (logsFailure && !snapshotRecord.isCompleted()) runLog.fail(failure)
  }
  return snapshotRecord.outcome()
}

function snapshotJob (context: Context, { request, newRun }: Creation): SnapshotRun[0] {
  const { id, schema, trigger, note, startedAt, partial } = newRun
  const excludedByCall = request.excludeTables ?? []
  return {
    id,
    schema,
    trigger,
    note,
    createdAt: startedAt.toISOString(),
    partial,
    ...destination(context, id),
    excludeTables: [...context.options.excludeTables, ...excludedByCall],
    excludedByCall,
    connections: context.options.connections,
    logTable: logTable(context)
  }
}

function snapshotHooks (context: Context, creation: Creation): SnapshotRun[1] {
  const { events, presence } = context
  const { request, run, newRun, snapshotRecord, runLog, beginLevel, onBegun } = creation
  let progress: RunProgress | undefined
  return {
    async onLocked () {
      await presence.prepare()
      const [backup, last] = await Promise.all([snapshotRecord.begin(), lastSnapshot(context, newRun)])
      progress = createBackupProgress(context, newRun.id, last, runLog, request.onProgress)
      runLog.begin({}, beginLevel)
      events.emit('backup:started', backup)
      onBegun(backup)
    },
    async onWritten (written) {
      await snapshotRecord.publish(written)
      progress?.end()
    },
    onProgress (reported) { progress?.onProgress(reported) },
    signal: run.signal
  }
}

/** For the progress, which must not fail a run. A snapshot of some tables shows nothing about another one. */
async function lastSnapshot ({ log }: Context, { schema, partial }: NewRun): Promise<SnapshotSize | null> {
  return partial ? null : await log.lastFullSize(schema).catch(() => null)
}

/** A refused call leaves no row in the log, unlike a run that failed before it could begin. */
const refusals: ErrorCode[] = [
  'ARGUMENT_INVALID', 'BUSY', 'SCHEMA_NOT_FOUND', 'SHUTTING_DOWN', 'ABORTED', 'DATABASE_UNAVAILABLE',
  'DATABASE_INSECURE'
]
const isRefusal = (failure: Error): boolean => refusals.some((code) => isOwnError(failure, code))
