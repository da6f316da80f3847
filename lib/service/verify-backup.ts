import { findProblems } from '../snapshot/verify-snapshot.ts'
import type { LongCall, Verification } from '../../types/index.ts'
import { checkArguments } from './arguments.ts'
import { type Context, storedFile } from './context.ts'
import { callGuarded } from './event-hub.ts'
import { isOwnError } from './outcome.ts'
import { getAvailable } from './read-backups.ts'
import { createSnapshotSource, expectedOf } from './snapshot-source.ts'

/** Reads a snapshot through and loads nothing. What is wrong with it is the answer, not a failure. */
export async function verifyBackup (context: Context, id: string, call: LongCall = {}): Promise<Verification> {
  checkArguments('verify', call)
  const backup = await getAvailable(context, id)
  const run = await context.runs.beginReading(id, call.signal)
  const file = createSnapshotSource(context, backup, run.signal)
  try {
    const read = await context.runner.readThrough(storedFile(context, backup), {
      open: file.open,
      onProgress (progress) {
        callGuarded(() => call.onProgress?.(progress), () => { context.logger.error({ id }, 'the onProgress of a call threw') })
      },
      signal: run.signal
    })
    return verificationOf(findProblems(read, expectedOf(backup)))
  } catch (error) {
    const failure = file.failureOf(error)
    if (isOwnError(failure, 'SNAPSHOT_INVALID')) return verificationOf([failure.message])
    throw failure
  } finally {
    run.end()
  }
}

const verificationOf = (problems: string[]): Verification => ({ ok: problems.length === 0, problems })
