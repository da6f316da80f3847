import { findProblems } from '../snapshot/find-problems.ts'
import type { Backup, LongCall, Verification } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { type Context, storedFile } from '../runs/context.ts'
import { createRunLog } from '../runs/log-run.ts'
import { createReadingProgress } from '../runs/report-progress.ts'
import { traceRun } from '../runs/trace-run.ts'
import { isOwnError } from '../own-error.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import type { Run } from '../runs/active-runs.ts'
import { recordVerification } from '../consistency/record-verification.ts'
import { createSnapshotOpener, expectedOf } from '../runs/open-snapshot.ts'

/** A damaged file may have a problem in each of its tables. */
const loggedProblems = 10

/** Reads a snapshot to its end and loads nothing. Problems of the snapshot are the result, not an error. */
export async function verifyBackup (context: Context, id: string, call: LongCall = {}): Promise<Verification> {
  checkArguments('verify', call)
  const backup = await getAvailable(context, id)
  const run = await context.runs.beginReading(id, call.signal)
  const { schema, trigger, sizeBytes: bytes } = backup
  const runLog = createRunLog(context, 'verification', { id, schema, trigger })
  runLog.begin()
  const { rows, problems } = await traceRun('verify', {
    context: { id, schema, trigger }, summarize: ({ problems }) => ({ problemCount: problems.length })
  }, async () => await verify(context, backup, call, run)).catch((error: unknown) => {
    runLog.fail(error)
    throw error
  }).finally(run.end)
  const ok = problems.length === 0
  await recordVerification(context, id, { ok, problems })
  runLog.end({ rows, bytes, ok, problems: problems.slice(0, loggedProblems) }, ok ? 'info' : 'error')
  return { ok, problems }
}

async function verify (
  context: Context, backup: Backup, { onProgress }: LongCall, { signal }: Run
): Promise<{ rows: number | null, problems: string[] }> {
  const file = createSnapshotOpener(context, backup, signal)
  const progress = createReadingProgress(context, { id: backup.id }, backup.sizeBytes, onProgress)
  try {
    const read = await context.runner.readThrough(storedFile(context, backup), {
      open: file.open,
      onProgress: progress.onProgress,
      signal
    })
    progress.end()
    const rows = read.tables.reduce((sum, table) => sum + table.rows, 0)
    return { rows, problems: findProblems(read, expectedOf(backup)) }
  } catch (error) {
    const failure = file.failureOf(error)
    if (isOwnError(failure, 'SNAPSHOT_INVALID')) return { rows: null, problems: [failure.message] }
    throw failure
  }
}
