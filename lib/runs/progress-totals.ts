import type { PhaseProgress } from '../snapshot/phase-progress.ts'
import type { Progress } from '../../types/index.ts'

/**
 * The phases of a run, in their order, with their shares of its time in percent. The rest up to 100 is what follows the
 * last phase: publishing a file, foreign keys, COMMIT.
 *
 * They hold until a phase shows how fast it is. Above all, the time to load rows depends on the indexes: it was two to
 * ten times that of the verification.
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
  const isOnePhase = Object.keys(shares).length === 1
  const forecast = createForecast(shares, now)
  let highest = 0

  return (progress) => {
    const totals = totalsOf(progress, fileBytes, lastSnapshot)
    const inPhase = fractionOf(progress, totals)
    const known = inPhase ?? (isOnePhase ? null : 0)
    const { done, etaMs } = known === null ? { done: 0, etaMs: null } : forecast(progress.phase, known)
    highest = Math.max(highest, done)
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
      // An estimate that was exceeded shows nothing about the rest
      etaMs: inPhase === null || (estimated && inPhase === 1) ? null : etaMs
    }
  }
}

/** How much of the run is done, from 0 to 1, and the time that it still needs; null if that is not known. */
interface Forecast { done: number, etaMs: number | null }

/** Milliseconds after which the speed of a phase is known. */
const measuredAfter = 1000

/**
 * The last phase takes the most time, and only its own speed shows how much. A time that may be wrong by a factor of
 * two is worse than none, so before that phase there is none.
 */
function createForecast (
  shares: PhaseShares, now: () => number
): (phase: Progress['phase'], fraction: number) => Forecast {
  const startedAt = now()
  const order = Object.keys(shares)
  const last = order.at(-1)
  /** When each phase began and with what; and how long it takes by its speed. */
  const begun = new Map<string, { at: number, fraction: number, duration: number | undefined }>()

  return (phase, fraction) => {
    const at = now()
    const first = begun.get(phase) ?? { at, fraction, duration: undefined }
    begun.set(phase, first)
    const isMeasured = at - first.at >= measuredAfter && fraction > first.fraction
    if (isMeasured) first.duration = (at - first.at) / (fraction - first.fraction)
    const { start, share } = spanOf(shares, phase)
    const byShares = { done: (start + fraction * share) / 100, etaMs: null }
    if (first.duration === undefined) return byShares
    // The other phases, as far as they are still to come, by the speed of those that have been measured
    const measured = order.flatMap((name) => {
      const duration = begun.get(name)?.duration
      return duration === undefined ? [] : [{ duration, share: spanOf(shares, name).share }]
    })
    const perShare = sumOf(measured.map(({ duration }) => duration)) / sumOf(measured.map((each) => each.share))
    const rest = first.duration * (1 - fraction) + perShare * (100 - start - share)
    const elapsed = at - startedAt
    return { done: elapsed / (elapsed + rest), etaMs: phase === last ? Math.round(rest) : null }
  }
}

type Totals = Pick<Progress, 'rowsTotal' | 'bytesTotal' | 'estimated'>

/** An estimate is never below what has been processed. */
function totalsOf (
  { phase, table, rows, rowsTotal, bytes, bytesTotal, estimated }: PhaseProgress,
  fileBytes: number | null,
  lastSnapshot: SnapshotSize | null
): Totals {
  if (phase !== 'snapshot') return { rowsTotal, bytesTotal: bytesTotal ?? fileBytes, estimated }
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
function spanOf (shares: PhaseShares, phase: string): { start: number, share: number } {
  const entries = Object.entries(shares)
  const end = entries.findIndex(([name]) => name === phase) + 1
  const sumUntil = (end: number): number => sumOf(entries.slice(0, end).map(([, share]) => share))
  const start = sumUntil(end - 1)
  return { start, share: sumUntil(end) - start }
}

const sumOf = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0)
