import { randomUUID } from 'node:crypto'
import type { FoundSnapshot } from '../log/adoptions.ts'
import { isPossibleName } from '../postgres/identifiers.ts'
import { snapshotFilename } from '../snapshot/format.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { findProblems } from '../snapshot/verify-snapshot.ts'
import { isMarkerName } from '../storage/marker.ts'
import type { LongCall, Rescan } from '../../types/index.ts'
import { checkArguments, isNote } from './arguments.ts'
import { type Context, storedFile } from './context.ts'
import { callGuarded } from './event-hub.ts'
import { isOwnError } from './outcome.ts'
import type { Run } from './runs.ts'
import { createSnapshotSource } from './snapshot-source.ts'
import { requireOwnStorage } from './storage-owner.ts'

/**
 * Compares the storage with the log. Snapshots without a row get one, from their manifests, after they were read through; one that is damaged is
 * left where it is, and told to the logger. Several replicas may do it at once. Throws FST_BACKUP_STORAGE_TAKEN.
 */
export async function rescanStorage (context: Context, call: LongCall = {}): Promise<Rescan> {
  checkArguments('rescan', call)
  const { log, storage } = context
  const { strays, ids } = await compare(context)
  const found: FoundSnapshot[] = []
  for (const filename of strays) {
    const read = await readStray(context, filename, call)
    if (read === undefined) continue
    const snapshot = toFound(filename, read, ids)
    ids.add(snapshot.id)
    found.push(snapshot)
  }
  // Again, since reading may take long, and another replica may have adopted and pruned one of them
  const present = new Set((await storage.list()).map(({ name }) => name))
  const adopted = await log.adopt(found.filter(({ filename }) => present.has(filename)))
  const missing = (await log.completed()).filter(({ backup }) => ids.has(backup.id) && !present.has(backup.filename))
  return {
    adopted: adopted.map(({ backup }) => ({ ...backup, available: true, held: false })),
    missing: missing.map(({ backup }) => ({ ...backup, available: false, held: false }))
  }
}

/** Files in the storage that have no row, whatever they are. Throws FST_BACKUP_STORAGE_TAKEN. */
export async function findStrays (context: Context): Promise<string[]> {
  return (await compare(context)).strays
}

async function compare (context: Context): Promise<{ strays: string[], ids: Set<string> }> {
  // In this order: a run's row comes before its file, and goes after it
  const stored = (await context.storage.list()).map(({ name }) => name).sort()
  await requireOwnStorage(context, stored)
  const rows = await context.log.files()
  const known = new Set(rows.map(({ filename }) => filename))
  return { strays: stored.filter((name) => !known.has(name) && !isMarkerName(name)), ids: new Set(rows.map(({ id }) => id)) }
}

/** Undefined when it is no sound snapshot, can't be read, or is gone by now. */
async function readStray (context: Context, filename: string, call: LongCall): Promise<ReadSnapshot | undefined> {
  const run = await context.runs.beginReading(filename, call.signal)
  try {
    return await readSound(context, filename, call, run)
  } finally {
    run.end()
  }
}

/** Each of them tells of one file, and must not keep the others from being adopted. */
const ofOneFile = ['SNAPSHOT_INVALID', 'FILE_GONE', 'STORAGE_FAILED']

async function readSound (context: Context, filename: string, { onProgress }: LongCall, { signal }: Run): Promise<ReadSnapshot | undefined> {
  const { logger } = context
  const file = createSnapshotSource(context, { filename }, signal)
  const tell = (reason: string): undefined => { logger.warn({ filename, reason }, 'a file in the storage has no row, and is not adopted') }
  try {
    const read = await context.runner.readThrough(storedFile(context, { filename }), {
      open: file.open,
      onProgress (progress) {
        callGuarded(() => onProgress?.(progress), () => { logger.error({ filename }, 'the onProgress of a call threw') })
      },
      signal
    })
    const problems = problemsOf(read)
    return problems.length === 0 ? read : tell(problems.join('; '))
  } catch (error) {
    const failure = file.failureOf(error)
    if (!ofOneFile.some((code) => isOwnError(failure, code))) throw failure
    return tell(failure.message)
  }
}

function problemsOf (read: ReadSnapshot): string[] {
  const { schema, createdAt } = read.manifest
  const problems = findProblems(read, { id: null, checksum: null })
  if (!isPossibleName(schema)) problems.push('the manifest names a schema that there can not be')
  if (!/^\d{4}-/.test(createdAt) || Number.isNaN(Date.parse(createdAt))) problems.push('the manifest does not say when it was made')
  return problems
}

/** As it was at its creation. Only an import has another name than that of its schema and time, or the id of another; it counts from its import. */
function toFound (filename: string, { manifest, sizeBytes, checksum }: ReadSnapshot, taken: Set<string>): FoundSnapshot {
  const { id, schema, trigger, note, totalTables, totalRows } = manifest
  const createdAt = new Date(manifest.createdAt)
  const isImport = taken.has(id) || filename !== snapshotFilename(schema, createdAt)
  return {
    id: taken.has(id) ? randomUUID() : id,
    schema,
    filename,
    trigger: isImport ? 'import' : trigger,
    note: isNote(note) ? note : null,
    createdAt: isImport ? timeOf(filename) ?? createdAt : createdAt,
    sizeBytes,
    tableCount: totalTables,
    rowCount: totalRows,
    checksum
  }
}

/** The time that snapshotFilename() put into it; undefined when somebody else named the file. */
function timeOf (filename: string): Date | undefined {
  const [, day, hour, minute, second, milliseconds] = /_(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.json$/.exec(filename) ?? []
  const time = new Date(`${day}T${hour}:${minute}:${second}.${milliseconds}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}
