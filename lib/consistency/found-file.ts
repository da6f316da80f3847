import { randomUUID } from 'node:crypto'
import type { FoundSnapshot } from '../log/adoptions.ts'
import type { ResolvedOptions } from '../options/resolve-service-options.ts'
import { isNote } from '../arguments/check-arguments.ts'
import { findShrunkTables } from '../retention/find-shrunk-tables.ts'
import { type CountedSnapshot, isFull } from '../retention/guarded-snapshot.ts'
import { compressionOfFilename, snapshotFilename, timeOfFilename } from '../snapshot/file-format.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { countRows } from './holds.ts'
import { originOf } from './origin.ts'

/** A snapshot in the storage that has no row, and the row that it will get. */
export interface FoundFile {
  /** The name of the file matches its schema and creation time. */
  isOriginal: boolean
  snapshot: FoundSnapshot
}

/**
 * The row of a file, as it was when the snapshot was created. The name of an import or a copy does not match its schema
 * and creation time. Such a file counts as created at the time in its name.
 */
export function toFoundFile (
  options: ResolvedOptions, filename: string, { manifest, sizeBytes }: ReadSnapshot, storedBytes: number
): FoundFile {
  const { id, schema, trigger, note, totalTables, totalRows, checksum, partial = false } = manifest
  const createdAt = new Date(manifest.createdAt)
  const compression = compressionOfFilename(filename)
  const isOriginal = filename === snapshotFilename(schema, createdAt, compression)
  const snapshot = {
    id,
    schema,
    filename,
    trigger: isOriginal ? trigger : 'import',
    note: isNote(note) ? note : null,
    createdAt: isOriginal ? createdAt : timeOfFilename(filename) ?? createdAt,
    compression,
    sizeBytes,
    storedBytes,
    tableCount: totalTables,
    rowCount: totalRows,
    checksum,
    rowCounts: isOriginal ? countRows(manifest, excludedNames(options.excludeTables, schema)) : null,
    partial,
    origin: originOf(manifest),
    suspect: null,
    pinned: false,
    accepted: false,
    sidecar: null
  } as const
  return { isOriginal, snapshot }
}

/** The manifest does not name the tables that were left out. The tables that are excluded now are assumed. */
const excludedNames = (excludeTables: string[], schema: string): string[] =>
  excludeTables.map((name) => name.startsWith(`${schema}.`) ? name.slice(schema.length + 1) : name)

/**
 * Of several files of one snapshot, the original keeps the id, for any order of the names. A file whose id is in
 * use becomes an import with a new id.
 * @param taken ids in the log; the function adds those of the snapshots
 */
export function withOwnIds (files: FoundFile[], taken: Set<string>): FoundSnapshot[] {
  const sorted = [...files.filter(({ isOriginal }) => isOriginal), ...files.filter(({ isOriginal }) => !isOriginal)]
  return sorted.map(({ snapshot }) => {
    const own: FoundSnapshot = taken.has(snapshot.id)
      ? { ...snapshot, id: randomUUID(), trigger: 'import', rowCounts: null }
      : snapshot
    taken.add(own.id)
    return own
  })
}

/** Sorts by age, oldest first, and compares each with those before it, as when it was created. */
export function withSuspects (guard: ResolvedOptions['guard'], found: FoundSnapshot[]): FoundSnapshot[] {
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
