import type { FoundSnapshot } from '../log/adoptions.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import { type ErrorCode, isOwnError } from '../own-error.ts'
import type { Run } from '../runs/active-runs.ts'
import { type Context, storedFile } from '../runs/context.ts'
import { createRunLog, type RunLog } from '../runs/log-run.ts'
import { createSnapshotOpener } from '../runs/open-snapshot.ts'
import { createReadingProgress } from '../runs/report-progress.ts'
import { findImportProblems } from '../snapshot/find-import-problems.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { mayHaveSidecars } from '../storage/sidecar-name.ts'
import { isSnapshotName } from '../storage/snapshot-name.ts'
import type { LongCall } from '../../types/index.ts'
import { compareStorage } from './compare-storage.ts'
import { type FoundFile, toFoundFile, withOwnIds, withSuspects } from './found-file.ts'
import { readSidecar } from './sidecar.ts'

/** The result of adopting the files in the storage. */
export interface AdoptedFiles {
  adopted: LoggedBackup[]
  /** Completed backups whose files are not in the storage. */
  missing: LoggedBackup[]
}

/** The lines about an adoption. There are none while every file has a row. */
export const createAdoptionLog = (context: Context, common: { cause?: string } = {}): RunLog =>
  createRunLog(context, 'adoption of files', common)

/**
 * Inserts a row for each snapshot in the storage that has none, from its manifest, after it has read the file to its
 * end. A damaged file stays in the storage, and the reason is logged. Several replicas may do this at the same time.
 * @throws FST_BACKUP_STORAGE_TAKEN
 */
export async function adoptFiles (context: Context, runLog: RunLog, call: LongCall = {}): Promise<AdoptedFiles> {
  const { log, storage } = context
  const { unknown, ids, sidecars } = await compareStorage(context)
  if (unknown.length > 0) runLog.begin({ files: unknown.length })
  const found: FoundFile[] = []
  for (const filename of unknown) {
    const read = await readUnknown(context, filename, call)
    if (read === undefined) continue
    const stored = await storage.stat(filename)
    // Another replica has pruned it in the meantime
    if (stored === null) continue
    const { isOriginal, snapshot } = toFoundFile(context.options, filename, read, stored.sizeBytes)
    const sidecar = await findSidecar(context, filename, sidecars.get(filename) ?? [])
    found.push({ isOriginal, snapshot: { ...snapshot, ...sidecar } })
  }
  // Lists again: reading may take long, and another replica may have adopted and pruned one of the files
  const present = new Set((await storage.list()).map(({ name }) => name))
  const stillThere = found.filter(({ snapshot }) => present.has(snapshot.filename))
  const snapshots = withSuspects(context.options.guard, withOwnIds(stillThere, ids))
  const { adopted, unstorable } = await log.adopt(snapshots)
  for (const filename of unstorable) {
    reportSkipped(context, filename, 'the encoding of the database lacks a character of its schema or of its name')
  }
  const missing = (await log.completed()).filter(({ backup }) => ids.has(backup.id) && !present.has(backup.filename))
  if (unknown.length > 0) {
    const rows = sumOf(adopted, 'rowCount')
    runLog.end({ adopted: adopted.length, missing: missing.length, rows, bytes: sumOf(adopted, 'sizeBytes') })
  }
  return { adopted, missing }
}

const sumOf = (logged: LoggedBackup[], property: 'rowCount' | 'sizeBytes'): number =>
  logged.reduce((sum, { backup }) => sum + Number(backup[property]), 0)

/**
 * The content of the newest readable sidecar. The version is always that of the newest sidecar, readable or not: the
 * next change writes the version after it.
 */
async function findSidecar (context: Context, filename: string, versions: number[]): Promise<Partial<FoundSnapshot>> {
  const newest = versions[0] ?? null
  for (const version of versions) {
    const sidecar = await readSidecar(context, filename, version)
    if (sidecar !== undefined) return { ...sidecar, sidecar: newest }
  }
  return { sidecar: newest }
}

/** Undefined when the file is not an intact snapshot, cannot be read, or no longer exists. */
async function readUnknown (context: Context, filename: string, call: LongCall): Promise<ReadSnapshot | undefined> {
  const run = await context.runs.beginReading(filename, call.signal)
  try {
    return await readIntact(context, filename, call, run)
  } finally {
    run.end()
  }
}

function reportSkipped ({ logger }: Context, filename: string, reason: string): void {
  logger.warn({ filename, reason }, 'a file in the storage has no row and is not adopted')
}

/** Errors of a single file, which must not prevent the adoption of the others. */
const singleFileErrors: ErrorCode[] = ['SNAPSHOT_INVALID', 'LIMIT_EXCEEDED', 'FILE_GONE', 'STORAGE_FAILED']

async function readIntact (
  context: Context, filename: string, { onProgress }: LongCall, { signal }: Run
): Promise<ReadSnapshot | undefined> {
  const { options, runner } = context
  const file = createSnapshotOpener(context, { filename }, signal)
  const skip = (reason: string): undefined => { reportSkipped(context, filename, reason) }
  if (isSnapshotName(filename) && !mayHaveSidecars(filename)) {
    return skip('its name is too long for a sidecar file, which would keep its pin and note; rename it')
  }
  try {
    const read = await runner.readThrough(storedFile(context, { filename }), {
      open: file.open,
      limits: options.limits,
      onProgress: createReadingProgress(context, { filename }, null, onProgress).onProgress,
      signal
    })
    const problems = findImportProblems(read)
    return problems.length === 0 ? read : skip(problems.join('; '))
  } catch (error) {
    const failure = file.failureOf(error)
    if (!singleFileErrors.some((code) => isOwnError(failure, code))) throw failure
    return skip(failure.message)
  }
}
