import type { PhaseProgress } from '../snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'

/** The phases of a run, in their order, with their shares of its time. */
export type PhaseShares = Partial<Record<Progress['phase'], number>>

/**
 * Adds the totals, the percentage and the remaining time of the complete run to what a phase reports.
 * @param fileBytes the size of the file that the run reads; null if it is not known
 * @param now returns milliseconds
 */
export function createProgressTotals (
  shares: PhaseShares, fileBytes: number | null, now: () => number
): (progress: PhaseProgress) => Progress {
  const all = Object.values(shares).reduce((sum, share) => sum + share, 0)
  const startedAt = now()
  let highest = 0
  return ({ phase, table, tables, tablesDone, rows, rowsTotal, bytes, estimated }) => {
    const bytesTotal = phase === 'snapshot' ? table === null ? bytes : null : fileBytes
    const inPhase = fractionOf(bytes, bytesTotal) ?? fractionOf(rows, rowsTotal)
    const done = inPhase === null ? null : (before(shares, phase) + inPhase * (shares[phase] ?? 0)) / all
    highest = Math.max(highest, done ?? 0)
    const totals = { rowsTotal, bytes, bytesTotal, estimated }
    const elapsedMs = now() - startedAt
    return {
      phase,
      table,
      tables,
      tablesDone,
      rows,
      ...totals,
      percent: done === null ? null : Math.min(99, Math.floor(highest * 100)),
      etaMs: done === null || highest === 0 ? null : Math.max(0, Math.round(elapsedMs * (1 - highest) / highest))
    }
  }
}

/** Null if the total is not known. */
const fractionOf = (done: number, total: number | null): number | null =>
  total === null || total === 0 ? null : Math.min(1, done / total)

/** The shares of the phases before this one. */
function before (shares: PhaseShares, phase: Progress['phase']): number {
  let sum = 0
  for (const [name, share] of Object.entries(shares)) {
    if (name === phase) break
    sum += share
  }
  return sum
}
