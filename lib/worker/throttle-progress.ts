import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'

/** Milliseconds between two reports of a phase. */
export const progressInterval = 100

/**
 * Passes on the first report of each phase, at most one per interval after that, and the last, since each report takes
 * time on the main thread.
 * @param now returns milliseconds
 */
export function throttleProgress (
  report: OnPhaseProgress,
  now: () => number = () => performance.now()
): OnPhaseProgress {
  let phase = ''
  let next = 0
  return (progress) => {
    const time = now()
    if (progress.phase === phase && time < next && progress.table !== null) return
    phase = progress.phase
    next = time + progressInterval
    report(progress)
  }
}
