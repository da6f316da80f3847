import type { Progress } from '../../types/index.ts'

/** Milliseconds between two reports of a phase. */
export const progressInterval = 100

/**
 * The first report of each phase, then one now and then, and the last: each one takes time on the main thread.
 * @param now milliseconds
 */
export function throttleProgress (report: (progress: Progress) => void, now: () => number = () => performance.now()): (progress: Progress) => void {
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
