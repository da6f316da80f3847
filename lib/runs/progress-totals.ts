import type { PhaseProgress } from '../snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'

/**
 * The phases of a run, in their order, with their shares of its time in percent. The rest up to 100 is what follows the
 * last phase: publishing a file, foreign keys, COMMIT.
 */
export type PhaseShares = Partial<Record<Progress['phase'], number>>

/** The size of the last snapshot of the schema, which is the best estimate for the next one. */
export interface SnapshotSize { rows: number, bytes: number }

export interface RunTotals {
  shares: PhaseShares
  /** The size of the file that the run reads; null if it is not known. */
  fileBytes: number | null
  /** Null if the phase `snapshot` has to do with the estimates of the catalog. */
  lastSnapshot: SnapshotSize | null
}

/**
 * Adds the totals, the percentage and the remaining time of the complete run to what a phase reports.
 * @param now returns milliseconds
 */
export function createProgressTotals (
  { shares, fileBytes, lastSnapshot }: RunTotals, now: () => number
): (progress: PhaseProgress) => Progress {
  const startedAt = now()
  const isOnePhase = Object.keys(shares).length === 1
  let highest = 0

  return (progress) => {
    const totals = totalsOf(progress, fileBytes, lastSnapshot)
    const inPhase = fractionOf(progress, totals)
    const known = inPhase ?? (isOnePhase ? null : 0)
    if (known !== null) {
      const { start, share } = spanOf(shares, progress.phase)
      highest = Math.max(highest, (start + known * share) / 100)
    }
    const elapsedMs = now() - startedAt
    const { phase, table, tables, tablesDone, rows, bytes } = progress
    const { rowsTotal, bytesTotal, estimated } = totals
    return {
      phase,
      table,
      tables,
      tablesDone,
      rows,
      rowsTotal,
      bytes,
      bytesTotal,
      estimated,
      percent: known === null ? null : Math.min(99, Math.floor(highest * 100)),
      etaMs: inPhase === null || highest === 0 ? null : Math.max(0, Math.round(elapsedMs * (1 / highest - 1)))
    }
  }
}

type Totals = Pick<Progress, 'rowsTotal' | 'bytesTotal' | 'estimated'>

/** An estimate is never below what has been processed. */
function totalsOf (
  { phase, table, rows, rowsTotal, bytes, estimated }: PhaseProgress,
  fileBytes: number | null,
  lastSnapshot: SnapshotSize | null
): Totals {
  if (phase !== 'snapshot') return { rowsTotal, bytesTotal: fileBytes, estimated }
  if (table === null) return { rowsTotal, bytesTotal: bytes, estimated }
  const expectedRows = lastSnapshot?.rows ?? rowsTotal
  return {
    rowsTotal: expectedRows === null ? null : Math.max(expectedRows, rows),
    bytesTotal: lastSnapshot === null ? null : Math.max(lastSnapshot.bytes, bytes),
    estimated
  }
}

/** How much of the phase is done, from 0 to 1. Null if no total is known. */
function fractionOf ({ bytes, rows }: PhaseProgress, { bytesTotal, rowsTotal }: Totals): number | null {
  if (bytesTotal !== null && bytesTotal > 0) return Math.min(1, bytes / bytesTotal)
  return rowsTotal === null || rowsTotal === 0 ? null : Math.min(1, rows / rowsTotal)
}

/** Where the phase begins, in percent of the run, and its share. */
function spanOf (shares: PhaseShares, phase: Progress['phase']): { start: number, share: number } {
  const entries = Object.entries(shares)
  const index = entries.findIndex(([name]) => name === phase)
  return { start: sumOf(entries.slice(0, index)), share: sumOf(entries.slice(index, index + 1)) }
}

const sumOf = (shares: Array<[phase: string, share: number]>): number =>
  shares.reduce((sum, [, share]) => sum + share, 0)
