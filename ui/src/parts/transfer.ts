import * as format from '../format.ts'

/** Bytes that are sent or received. */
export interface Transfer {
  done: number
  /** Null if it is not known. */
  total: number | null
  /** By performance.now(). */
  startedAt: number
}

/** How long the first bytes take says nothing about the rest. */
const settledMs = 500

/** `12 MB of 40 MB · 30% · 3 MB/s · 9 s left`; without rate and time left in the first half second. */
export function transferText ({ done, total, startedAt }: Transfer, now = performance.now()): string {
  const elapsed = now - startedAt
  const rate = elapsed < settledMs || done === 0 ? null : done / elapsed * 1000
  return [
    total === null ? format.bytes(done) : `${format.bytes(done)} of ${format.bytes(total)}`,
    ...total === null || total === 0 ? [] : [format.percent(Math.min(1, done / total))],
    ...rate === null ? [] : [`${format.bytes(rate)}/s`],
    ...rate === null || total === null ? [] : [`${format.duration(Math.max(0, total - done) / rate * 1000)} left`]
  ].join(' · ')
}
