import { readSnapshot, type ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { RestoreHooks } from './restore-job.ts'

/** Reads the snapshot from its first byte to its last, and tells how far it is. */
export async function readFile ({ open, onProgress, signal }: RestoreHooks, phase: 'verify' | 'load', openTable: Parameters<typeof readSnapshot>[1]): Promise<ReadSnapshot> {
  const stream = await open()
  let tables = 0
  let tablesDone = -1
  let before = 0
  let current = 0
  try {
    return await readSnapshot(stream, async (table, manifest) => {
      signal.throwIfAborted()
      tables = manifest.tables.length
      tablesDone++
      before += current
      current = 0
      return await openTable(table, manifest)
    }, (table, rows, bytes) => {
      signal.throwIfAborted()
      current = rows
      onProgress({ phase, table, tables, tablesDone, rows: before + rows, bytes })
    })
  } finally {
    stream.destroy()
  }
}
