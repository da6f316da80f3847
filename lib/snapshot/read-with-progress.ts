import type { Readable } from 'node:stream'
import type { ByteRange, ManifestTable } from '../../types/index.ts'
import type { OnPhaseProgress } from './phase-progress.ts'
import type { ReadTable, RowTarget } from './read-rows.ts'
import { readSelectedTables } from './read-selected-tables.ts'
import type { ReadLimits } from './snapshot-input.ts'
import {
  type OpenTable, type ParseManifest, readManifest, type ReadManifest, readSnapshot, type ReadSnapshot
} from './snapshot-reader.ts'

/** What a run that reads a snapshot needs from the code that started it. */
export interface ReadHooks {
  /** Returns the snapshot's bytes, from the start, or those of the range. */
  open: (range?: ByteRange) => Promise<Readable>
  onProgress: OnPhaseProgress
  signal: AbortSignal
  /** For a file that this service did not write. @defaultValue none */
  limits?: ReadLimits | undefined
  /** @defaultValue parses it in this thread */
  parseManifest?: ParseManifest
}

/** Reads the complete snapshot and reports the progress. Throws the reason of `signal` when it aborts. */
export async function readFile (
  { open, onProgress, signal, limits, parseManifest }: ReadHooks, openTable: OpenTable
): Promise<ReadSnapshot> {
  const stream = await open()
  let tables = 0
  let rowsTotal = 0
  let tablesDone = -1
  let before = 0
  let current = 0
  try {
    return await readSnapshot(stream, async (table, manifest) => {
      signal.throwIfAborted()
      tables = manifest.tables.length
      rowsTotal = manifest.totalRows
      tablesDone++
      before += current
      current = 0
      return await openTable(table, manifest)
    }, (table, rows, bytes) => {
      signal.throwIfAborted()
      current = rows
      onProgress({
        phase: 'verify', table, tables, tablesDone, rows: before + rows, rowsTotal, bytes, estimated: false
      })
    }, limits, parseManifest)
  } finally {
    stream.destroy()
  }
}

/** Reads the manifest of the snapshot only. */
export async function readHeadOnly ({ open, parseManifest }: ReadHooks): Promise<ReadManifest> {
  const stream = await open()
  try {
    return await readManifest(stream, undefined, parseManifest)
  } finally {
    stream.destroy()
  }
}

/** Reads tables of a snapshot in several calls, and reports the progress of all of them together. */
export type ReadParts = (
  tables: ManifestTable[], openTable: (table: ManifestTable) => Promise<RowTarget>
) => Promise<ReadTable[]>

/** @param all the tables that the calls will read, some of them more than once */
export function createPartsReader (
  { open, onProgress, signal }: ReadHooks, phase: 'verify' | 'load', all: ManifestTable[]
): ReadParts {
  const rowsTotal = sumOf(all, 'rows')
  const bytesTotal = sumOf(all, 'bytes')
  /** What has been read of each table, so that progress does not go backwards when a table is read again. */
  const counted = new Map<ManifestTable, { rows: number, bytes: number }>()
  const done = new Set<ManifestTable>()
  const sums = { rows: 0, bytes: 0 }
  let current: ManifestTable

  function count (rows: number, bytes: number): void {
    const before = counted.get(current) ?? { rows: 0, bytes: 0 }
    const now = { rows: Math.max(before.rows, rows), bytes: Math.max(before.bytes, bytes) }
    counted.set(current, now)
    sums.rows += now.rows - before.rows
    sums.bytes += now.bytes - before.bytes
  }

  return async (tables, openTable) => await readSelectedTables(open, tables, async (table) => {
    signal.throwIfAborted()
    current = table
    const target = await openTable(table)
    return {
      ...target,
      async end (read) {
        await target.end?.(read)
        done.add(table)
      }
    }
  }, (table, rows, position) => {
    signal.throwIfAborted()
    count(rows, position - current.offset)
    onProgress({
      phase, table, tables: all.length, tablesDone: done.size, ...sums, rowsTotal, bytesTotal, estimated: false
    })
  })
}

function sumOf (tables: ManifestTable[], property: 'rows' | 'bytes'): number {
  return tables.reduce((sum, table) => sum + table[property], 0)
}
