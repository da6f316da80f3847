import { randomUUID } from 'node:crypto'
import type { FoundSnapshot } from '../log/adoptions.ts'
import { findShrunkTables } from '../retention/find-shrunk-tables.ts'
import { type CountedSnapshot, isFull } from '../retention/guarded-snapshot.ts'
import { snapshotFilename } from '../snapshot/format.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { isMarkerName } from '../storage/marker.ts'
import { mayHaveSidecars, parseSidecarName } from '../storage/sidecar-name.ts'
import { isSnapshotName } from '../storage/snapshot-name.ts'
import type { LongCall, Rescan } from '../../types/index.ts'
import { checkArguments, isNote } from './arguments.ts'
import { type Context, storedFile } from './context.ts'
import { callGuarded } from './event-hub.ts'
import { countRows } from './guard.ts'
import { findForeignProblems } from './manifest-problems.ts'
import { isOwnError } from './outcome.ts'
import { describeBackups } from './read-backups.ts'
import type { Run } from './runs.ts'
import { readSidecar, sidecarsBySnapshot } from './sidecar.ts'
import { createSnapshotSource } from './snapshot-source.ts'
import { requireOwnStorage } from './storage-owner.ts'

/**
 * Compares the storage with the log. Snapshots without a row get one, from their manifests, after they were read through; one that is damaged is
 * left where it is, and told to the logger. Several replicas may do it at once. Throws FST_BACKUP_STORAGE_TAKEN.
 */
export async function rescanStorage (context: Context, call: LongCall = {}): Promise<Rescan> {
  checkArguments('rescan', call)
  const { log, storage } = context
  const { strays, ids, sidecars } = await compare(context)
  const found: Stray[] = []
  for (const filename of strays) {
    const read = await readStray(context, filename, call)
    if (read === undefined) continue
    const { isOriginal, snapshot } = toStray(context, filename, read)
    found.push({ isOriginal, snapshot: { ...snapshot, ...await findSidecar(context, filename, sidecars.get(filename) ?? []) } })
  }
  // Again, since reading may take long, and another replica may have adopted and pruned one of them
  const present = new Set((await storage.list()).map(({ name }) => name))
  const there = found.filter(({ snapshot }) => present.has(snapshot.filename))
  const adopted = await log.adopt(withSuspects(context, withOwnIds(there, ids)))
  const missing = (await log.completed()).filter(({ backup }) => ids.has(backup.id) && !present.has(backup.filename))
  return { adopted: await describeBackups(context, adopted), missing: await describeBackups(context, missing) }
}

/** What the newest sidecar says that can be read; its version all the same is the newest, or the next change would meet it. */
async function findSidecar (context: Context, filename: string, versions: number[]): Promise<Partial<FoundSnapshot>> {
  const newest = versions[0] ?? null
  for (const version of versions) {
    const sidecar = await readSidecar(context, filename, version)
    if (sidecar !== undefined) return { ...sidecar, sidecar: newest }
  }
  return { sidecar: newest }
}

/** Oldest first, and each compared with those before it, as they were when they were made. */
function withSuspects ({ options: { guard } }: Context, found: FoundSnapshot[]): FoundSnapshot[] {
  const sorted = found.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())
  if (guard === undefined) return sorted
  const earlier = new Map<string, CountedSnapshot[]>()
  return sorted.map((snapshot, ordinal) => {
    const { schema, rowCounts } = snapshot
    const before = earlier.get(schema) ?? []
    const suspect = rowCounts !== null && isFull(snapshot) ? findShrunkTables(before, rowCounts, guard) : null
    earlier.set(schema, [...before, { ...snapshot, ordinal, suspect, restoredRows: null }])
    return { ...snapshot, suspect }
  })
}

/** Files in the storage that have no row, whatever they are. Throws FST_BACKUP_STORAGE_TAKEN. */
export async function findStrays (context: Context): Promise<string[]> {
  return (await compare(context)).strays
}

interface Comparison { strays: string[], ids: Set<string>, sidecars: Map<string, number[]> }

async function compare (context: Context): Promise<Comparison> {
  // In this order: a run's row comes before its file, and goes after it
  const stored = (await context.storage.list()).map(({ name }) => name).sort()
  await requireOwnStorage(context, stored)
  const rows = await context.log.files()
  const known = new Set(rows.map(({ filename }) => filename))
  return {
    strays: stored.filter((name) => !known.has(name) && !isMarkerName(name) && parseSidecarName(name) === undefined),
    ids: new Set(rows.map(({ id }) => id)),
    sidecars: sidecarsBySnapshot(stored)
  }
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
const ofOneFile = ['SNAPSHOT_INVALID', 'LIMIT_EXCEEDED', 'FILE_GONE', 'STORAGE_FAILED']

async function readSound (context: Context, filename: string, { onProgress }: LongCall, { signal }: Run): Promise<ReadSnapshot | undefined> {
  const { logger } = context
  const file = createSnapshotSource(context, { filename }, signal)
  const tell = (reason: string): undefined => { logger.warn({ filename, reason }, 'a file in the storage has no row, and is not adopted') }
  if (isSnapshotName(filename) && !mayHaveSidecars(filename)) return tell('its name leaves no room for that of a file beside it, which keeps pin and note; rename it')
  try {
    const read = await context.runner.readThrough(storedFile(context, { filename }), {
      open: file.open,
      limits: context.options.limits,
      onProgress (progress) {
        callGuarded(() => onProgress?.(progress), () => { logger.error({ filename }, 'the onProgress of a call threw') })
      },
      signal
    })
    const problems = findForeignProblems(read)
    return problems.length === 0 ? read : tell(problems.join('; '))
  } catch (error) {
    const failure = file.failureOf(error)
    if (!ofOneFile.some((code) => isOwnError(failure, code))) throw failure
    return tell(failure.message)
  }
}

interface Stray {
  /** Its name is that of its schema and time. */
  isOriginal: boolean
  snapshot: FoundSnapshot
}

/** As it was at its creation. Only an import, or a copy, has another name than that of its schema and time; it counts from its import. */
function toStray ({ options }: Context, filename: string, { manifest, sizeBytes, checksum }: ReadSnapshot): Stray {
  const { id, schema, trigger, note, totalTables, totalRows, partial = false } = manifest
  const createdAt = new Date(manifest.createdAt)
  const isOriginal = filename === snapshotFilename(schema, createdAt)
  const snapshot = {
    id,
    schema,
    filename,
    trigger: isOriginal ? trigger : 'import',
    note: isNote(note) ? note : null,
    createdAt: isOriginal ? createdAt : timeOf(filename) ?? createdAt,
    sizeBytes,
    tableCount: totalTables,
    rowCount: totalRows,
    checksum,
    rowCounts: isOriginal ? countRows(manifest, excludedNames(options.excludeTables, schema)) : null,
    partial,
    suspect: null,
    pinned: false,
    accepted: false,
    sidecar: null
  } as const
  return { isOriginal, snapshot }
}

/**
 * Of several files of one snapshot the original keeps its id, whatever their names sort like; one whose id is taken is an import.
 * @param taken ids of the log, to which those of the snapshots are added
 */
function withOwnIds (strays: Stray[], taken: Set<string>): FoundSnapshot[] {
  const sorted = [...strays.filter(({ isOriginal }) => isOriginal), ...strays.filter(({ isOriginal }) => !isOriginal)]
  return sorted.map(({ snapshot }) => {
    const own: FoundSnapshot = taken.has(snapshot.id) ? { ...snapshot, id: randomUUID(), trigger: 'import', rowCounts: null } : snapshot
    taken.add(own.id)
    return own
  })
}

/** Nothing says which tables there were besides; those that are left out today are taken for left out then. */
const excludedNames = (excludeTables: string[], schema: string): string[] =>
  excludeTables.map((name) => name.startsWith(`${schema}.`) ? name.slice(schema.length + 1) : name)

/** The time that snapshotFilename() put into it; undefined when somebody else named the file. */
function timeOf (filename: string): Date | undefined {
  const [, day, hour, minute, second, milliseconds] = /_(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.json$/.exec(filename) ?? []
  const time = new Date(`${day}T${hour}:${minute}:${second}.${milliseconds}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}
