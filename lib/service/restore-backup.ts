import { randomUUID } from 'node:crypto'
import { NotFound, RestoreNotAllowed } from '../errors.ts'
import type { RestoreKey } from '../log/restore-records.ts'
import type { NewRun } from '../log/run-records.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import type { RestoredSnapshot } from '../restore/restore-snapshot.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { Backup, RestoreOptions, RestoreResult } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { compressionType, type Context, destination, storedFile } from '../runs/context.ts'
import type { Begun } from './backup-engine.ts'
import { createRunLog, type RunLog } from '../runs/log-run.ts'
import { loggedError, publicError } from '../runs/public-error.ts'
import { traceRun } from '../runs/trace-run.ts'
import { findRestoreSource, restoreTarget, type RestoreSource } from './plan-restore.ts'
import { createRestoreProgress, type RunProgress } from '../runs/report-progress.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createSnapshotRecord, type SnapshotRecord } from '../consistency/snapshot-record.ts'
import type { Run } from '../runs/active-runs.ts'
import { describeBackup } from '../callers/visible-backups.ts'
import { recordVerification } from '../consistency/record-verification.ts'
import { isOwnError } from '../own-error.ts'
import { createSnapshotOpener, expectedOf, type SnapshotOpener } from '../runs/open-snapshot.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/** A restore in progress. */
interface Restore extends RestoreSource {
  /** The time of the call, by performance.now(). */
  calledAt: number
  request: RestoreOptions
  run: Run
  key: RestoreKey
  /** The snapshot of the rows that the restore replaces. */
  preRestore: NewRun
  snapshotRecord: SnapshotRecord
  runLog: RunLog
  progress: RunProgress
  onBegun: (backup: Backup) => void
}

export async function beginRestore (
  context: Context, id: string, request: RestoreOptions = {}
): Promise<Begun<RestoreResult>> {
  const calledAt = performance.now()
  if (!context.options.allowRestore) throw new RestoreNotAllowed()
  checkArguments('restore', request)
  const found = await findRestoreSource(context, id, request)
  await requireOwnStorage(context)
  await context.presence.prepare()
  const run = await context.runs.begin(request.signal)
  const preRestore = preRestoreRun(context, found, run, request)
  const snapshotRecord = createSnapshotRecord(context, preRestore)
  const key = { id, target: found.schema, startedAt: run.startedAt }
  const runLog = createRunLog(context, 'restore', { id, schema: found.schema }, 'warn')
  const progress = createRestoreProgress(context, key, found.source.sizeBytes, runLog, request.onProgress)
  return await new Promise((resolve, reject) => {
    const onBegun = (backup: Backup): void => { resolve({ backup, finished }) }
    const restore: Restore = {
      ...found, calledAt, request, run, key, preRestore, snapshotRecord, runLog, progress, onBegun
    }
    const finished = traceRestore(restore, async () => await performRestore(context, restore)).finally(run.end)
    // If the run never began, the caller has no `finished`, so the rejection goes to this promise
    finished.catch(reject)
  })
}

function preRestoreRun (
  context: Context, { source, schema }: RestoreSource, { startedAt }: Run, { actor }: RestoreOptions
): NewRun {
  const compression = compressionType(context)
  return {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, startedAt, compression),
    compression,
    trigger: 'pre_restore',
    createdBy: actor ?? null,
    cron: null,
    note: `before the restore of ${source.id}`,
    startedAt,
    slot: null,
    partial: false
  }
}

const traceRestore = async (
  { source: { id, trigger }, schema }: Restore, perform: () => Promise<RestoreResult>
): Promise<RestoreResult> => await traceRun('restore', {
  context: { id, schema, trigger },
  summarize: ({ tables, rowCount }) => ({ tableCount: tables.length, rowCount })
}, perform)

async function performRestore (context: Context, restore: Restore): Promise<RestoreResult> {
  const { events, runner } = context
  const { source: { id, sizeBytes: bytes }, schema, run, runLog, preRestore } = restore
  const file = createSnapshotOpener(context, restore.source, run.signal)
  const loggedRestore = createLoggedRestore(context, restore)
  try {
    const hooks = restoreHooks(context, restore, file, loggedRestore)
    const restored = await runner.restoreSnapshot(await restoreJob(context, restore), hooks)
    const result = resultOf(restored, restore)
    const { preRestoreId, rowCount: rows, durationMs, phases } = result
    runLog.end({ preRestoreId, tables: result.tables.length, rows, bytes, durationMs, phases })
    restore.progress.end()
    events.emit('restore:completed', result)
    // After a failure the next run prunes: pruning now could remove the backup that the caller wants to restore, to
    // keep the snapshot that was taken just before
    await pruneAfterRun(context, schema, 'pre_restore', preRestore.id)
    return result
  } catch (error) {
    const failure = file.failureOf(error)
    await recordDamage(context, restore, failure)
    if (loggedRestore.hasBegun()) {
      await loggedRestore.fail(failure)
      runLog.fail(failure)
      events.emit('restore:failed', { id, schema, error: publicError(failure) })
    }
    throw failure
  }
}

/** Marks the snapshot, so that it does not count as a good one. With `allowModified` the caller knows of a change. */
async function recordDamage (
  context: Context, { source: { id }, request }: Restore, failure: Error & { problems?: string[] }
): Promise<void> {
  if (request.allowModified === true || !isOwnError(failure, 'SNAPSHOT_INVALID')) return
  const { problems = [failure.message] } = failure
  await recordVerification(context, id, { ok: false, problems })
}

/** The record of the restore in the log, in the row of its backup. */
interface LoggedRestore {
  begin: () => Promise<void>
  /** Whether the log may contain the record. */
  hasBegun: () => boolean
  /** Never rejects. The rows have been rolled back; the snapshot of them stays if it is complete. */
  fail: (failure: Error) => Promise<void>
}

function createLoggedRestore (context: Context, restore: Restore): LoggedRestore {
  const { log, events } = context
  const { source: { id }, schema, key, preRestore, snapshotRecord, runLog, onBegun } = restore
  let begun = false
  return {
    async begin () {
      // Set before the answer arrives: if the answer is lost, the record may exist
      begun = true
      const logged = await log.beginRestore(key, preRestore.createdBy)
      begun = logged !== undefined
      if (logged === undefined) throw new NotFound(id)
      runLog.begin({ by: preRestore.createdBy })
      events.emit('restore:started', { id, schema })
      onBegun(await describeBackup(context, logged))
    },
    hasBegun: () => begun,
    async fail (failure) {
      if (snapshotRecord.hasBegun() && !snapshotRecord.isCompleted()) await snapshotRecord.fail(failure)
      await log.failRestore(key, loggedError(failure)).catch(context.requestHealing)
    }
  }
}

function restoreHooks (
  context: Context, restore: Restore, file: SnapshotOpener, loggedRestore: LoggedRestore
): RestoreHooks {
  const { run, key, preRestore, snapshotRecord, progress } = restore
  return {
    onLocked: loggedRestore.begin,
    open: file.open,
    async onPreRestoreStarted () { await snapshotRecord.begin() },
    async onPreRestoreWritten (written) {
      await snapshotRecord.publish(written)
      await context.log.recordPreRestore(key, preRestore.id)
    },
    onProgress: progress.onProgress,
    signal: run.signal
  }
}

async function restoreJob (
  context: Context, { source, schema, request, key, preRestore }: Restore
): Promise<RestoreJob> {
  return {
    ...await restoreTarget(context, schema, request),
    id: source.id,
    file: storedFile(context, source),
    storedBytes: source.storedBytes,
    expected: expectedOf(source),
    allowSchemaDrift: request.allowSchemaDrift === true,
    allowModified: request.allowModified === true,
    preRestore: {
      ...preRestore,
      createdAt: preRestore.startedAt.toISOString(),
      ...destination(context, preRestore.id)
    },
    completion: await context.log.restoreCompletion(
      key, preRestore.createdBy, preRestore.id, request.tables === undefined
    )
  }
}

/**
 * The start includes everything that the thread of the restore does not see, such as the start of the thread itself.
 */
function resultOf (
  { tables, drift, phases }: RestoredSnapshot, { calledAt, source, schema, preRestore }: Restore
): RestoreResult {
  const inThread = Object.values(phases).reduce((sum, ms) => sum + ms, 0)
  const before = Math.max(0, Math.round(performance.now() - calledAt) - inThread)
  return {
    id: source.id,
    preRestoreId: preRestore.id,
    schema,
    tables,
    rowCount: tables.reduce((sum, { rows }) => sum + rows, 0),
    drift,
    durationMs: before + inThread,
    phases: { ...phases, startMs: before + phases.startMs }
  }
}
