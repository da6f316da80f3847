import { findProblems } from '../snapshot/find-problems.ts'
import type { Backup, LongCall, Verification } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { type Context, storedFile } from '../runs/context.ts'
import { createReadingProgress } from '../runs/report-progress.ts'
import { isOwnError } from '../own-error.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import type { Run } from '../runs/active-runs.ts'
import { createSnapshotOpener, expectedOf } from '../runs/open-snapshot.ts'

/** Reads a snapshot to its end and loads nothing. Problems of the snapshot are the result, not an error. */
export async function verifyBackup (context: Context, id: string, call: LongCall = {}): Promise<Verification> {
  checkArguments('verify', call)
  const backup = await getAvailable(context, id)
  const run = await context.runs.beginReading(id, call.signal)
  try {
    return await verify(context, backup, call, run)
  } finally {
    run.end()
  }
}

async function verify (
  context: Context, backup: Backup, { onProgress }: LongCall, { signal }: Run
): Promise<Verification> {
  const file = createSnapshotOpener(context, backup, signal)
  try {
    const read = await context.runner.readThrough(storedFile(context, backup), {
      open: file.open,
      onProgress: createReadingProgress(context, { id: backup.id }, backup.sizeBytes, onProgress),
      signal
    })
    return verificationOf(findProblems(read, expectedOf(backup)))
  } catch (error) {
    const failure = file.failureOf(error)
    if (isOwnError(failure, 'SNAPSHOT_INVALID')) return verificationOf([failure.message])
    throw failure
  }
}

const verificationOf = (problems: string[]): Verification => ({ ok: problems.length === 0, problems })
