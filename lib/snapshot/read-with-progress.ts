import type { Readable } from 'node:stream'
import type { OnPhaseProgress } from './phase-progress.ts'
import type { ReadLimits } from './snapshot-input.ts'
import { type OpenTable, type ParseManifest, readSnapshot, type ReadSnapshot } from './snapshot-reader.ts'

/** What a run that reads a snapshot needs from the code that started it. */
export interface ReadHooks {
  /** Returns the snapshot's bytes from the start. */
  open: () => Promise<Readable>
  onProgress: OnPhaseProgress
  signal: AbortSignal
  /** For a file that this service did not write. @defaultValue none */
  limits?: ReadLimits | undefined
  /** @defaultValue parses it in this thread */
  parseManifest?: ParseManifest
}

/** Reads the complete snapshot and reports the progress. Throws the reason of `signal` when it aborts. */
export async function readFile (
  { open, onProgress, signal, limits, parseManifest }: ReadHooks,
  phase: 'verify' | 'load',
  openTable: OpenTable
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
      onProgress({ phase, table, tables, tablesDone, rows: before + rows, rowsTotal, bytes, estimated: false })
    }, limits, parseManifest)
  } finally {
    stream.destroy()
  }
}
