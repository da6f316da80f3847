import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { ArgumentInvalid, SnapshotInvalid } from '../errors.ts'
import type { NewRun } from '../log/run-records.ts'
import { compressionOf } from '../pipeline/codecs.ts'
import { backupKey, tryLock } from '../postgres/locks.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction } from '../postgres/driver/transaction.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { Backup, CompletedBackup, ImportOptions, RunTrace } from '../../types/index.ts'
import { checkArguments, isNote } from '../arguments/check-arguments.ts'
import { requireAllowed } from '../callers/schema-access.ts'
import { type Context, spoolPath } from '../runs/context.ts'
import { findImportProblems } from '../snapshot/find-import-problems.ts'
import { completedDetails, createRunLog } from '../runs/log-run.ts'
import { countsOf, traceRun } from '../runs/trace-run.ts'
import { outcomeOf } from '../runs/public-error.ts'
import { createImportProgress, type RunProgress } from '../runs/report-progress.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { originOf } from '../consistency/origin.ts'
import { createSnapshotRecord, type SnapshotRecord } from '../consistency/snapshot-record.ts'
import { receiveFile } from '../storage/receive-file.ts'
import type { Run } from '../runs/active-runs.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/**
 * Imports a snapshot that was made elsewhere. The snapshot is checked while it arrives. Only a complete one gets a row
 * and a file in the storage, and the file is kept byte for byte.
 */
export async function importBackup (
  context: Context, upload: Readable, request: ImportOptions = {}
): Promise<CompletedBackup> {
  if (typeof upload !== 'object' || upload === null || !(Symbol.asyncIterator in upload)) {
    throw new ArgumentInvalid('import() accepts a stream of bytes')
  }
  checkArguments('import', request)
  await context.log.prepare()
  await requireOwnStorage(context)
  await context.adoptAfterLoss()
  await context.presence.prepare()
  const id = randomUUID()
  const run = await context.runs.beginUpload(id, request.signal)
  const runLog = createRunLog(context, 'import', { id, trigger: 'import' })
  runLog.begin()
  const progress = createImportProgress(context, id, request.sizeBytes ?? null, request.onProgress)
  const trace: ImportTrace = { id, schema: null, trigger: 'import' }
  const backup = await traceRun('import', { context: trace, summarize: countsOf },
    async () => await receiveAndPublish(context, trace, upload, request, run, progress)
  ).catch((error: unknown) => {
    runLog.fail(error)
    throw error
  }).finally(run.end)
  progress.end()
  // Its duration includes the upload
  const { durationMs, ...details } = completedDetails(backup)
  runLog.end({ schema: backup.schema, ...details })
  return backup
}

/** A snapshot, and its file as it arrived. */
interface Received { read: ReadSnapshot, storedBytes: number, compression: Backup['compression'] }

type ImportTrace = RunTrace & { readonly id: string }

async function receiveAndPublish (
  context: Context, trace: ImportTrace, upload: Readable, request: ImportOptions, run: Run, progress: RunProgress
): Promise<CompletedBackup> {
  const received = await receive(context, trace.id, upload, progress, run)
    .catch((error: unknown) => { throw outcomeOf(error, run.signal) })
  const { read, storedBytes } = received
  trace.schema = read.manifest.schema
  return await publish(context, importRun(trace.id, received, request, run), { ...read, storedBytes }, run)
}

/** Writes a valid snapshot to the spool path. Leaves no file there after an error. */
async function receive (
  context: Context, id: string, upload: Readable, { onProgress }: RunProgress, { signal }: Run
): Promise<Received> {
  const file = await receiveFile(upload, spoolPath(context, id), signal)
  try {
    const read = await context.runner.readThrough(null, {
      open: async () => file.stream,
      limits: context.options.limits,
      onProgress (progress) {
        const { bytes, start } = file.written
        // The size of a compressed upload is that of the file, and the reader counts the bytes of the JSON
        onProgress(compressionOf(start) === 'none' ? progress : { ...progress, bytes })
      },
      signal
    }).catch((error: unknown) => { throw file.stream.errored ?? error })
    const problems = findImportProblems(read)
    if (problems.length > 0) throw Object.assign(new SnapshotInvalid(problems.join('; ')), { problems })
    const schema = requireAllowed(context, read.manifest.schema)
    if ((await context.log.possibleNames([schema])).length === 0) {
      throw new SnapshotInvalid(`the encoding of this database lacks a character of the name of its schema, ${schema}`)
    }
    await file.finish()
    const { bytes, start } = file.written
    return { read, storedBytes: bytes, compression: compressionOf(start) }
  } catch (error) {
    await file.discard()
    throw error
  }
}

function importRun (
  id: string, { read: { manifest }, compression }: Received, { actor, note }: ImportOptions, { startedAt }: Run
): NewRun {
  const { schema } = manifest
  return {
    id,
    schema,
    filename: snapshotFilename(schema, startedAt, compression),
    compression,
    trigger: 'import',
    createdBy: actor ?? null,
    cron: null,
    note: note ?? (isNote(manifest.note) ? manifest.note : null),
    startedAt,
    slot: null,
    partial: manifest.partial ?? false,
    origin: originOf(manifest)
  }
}

/** The row is inserted last, so that an invalid file leaves no row. */
async function publish (
  context: Context, newRun: NewRun, read: WrittenSnapshot, { signal }: Run
): Promise<CompletedBackup> {
  const { events } = context
  const { id, schema } = newRun
  const snapshotRecord = createSnapshotRecord(context, newRun)
  try {
    await publishLocked(context, id, snapshotRecord, read, signal)
  } catch (error) {
    // A completed record stays completed when the transaction fails: the transaction only kept the backup locked
    if (!snapshotRecord.isCompleted()) {
      const failure = outcomeOf(error, signal)
      if (!snapshotRecord.hasBegun()) {
        await rm(spoolPath(context, id), { force: true }).catch(() => {})
        throw failure
      }
      await snapshotRecord.fail(failure)
      if (!snapshotRecord.isCompleted()) events.emit('backup:failed', { id, schema, error: failure })
    }
  }
  const backup = snapshotRecord.outcome()
  events.emit('backup:completed', backup)
  await pruneAfterRun(context, schema, 'import', id)
  return backup
}

/**
 * While the row is running, the lock of the backup shows healing that the import is alive. The import does not need the
 * lock of the schema, since it does not conflict with a backup at the same time.
 */
async function publishLocked (
  { sql, events }: Context, id: string, snapshotRecord: SnapshotRecord, read: WrittenSnapshot, signal: AbortSignal
): Promise<void> {
  await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
    await pinSettings(tx)
    await tryLock(tx, backupKey(id))
    events.emit('backup:started', await snapshotRecord.begin())
    await snapshotRecord.publish(read)
  }, signal)
}
