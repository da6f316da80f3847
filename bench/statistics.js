/** @param {number[]} values */
export const median = (values) => percentile(values, 50)

/**
 * When the rank is between two values, the median is their mean, and any other percentile is the upper one.
 * @param {number[]} values
 * @param {number} percent
 */
export function percentile (values, percent) {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = percent / 100 * sorted.length
  const upper = sorted[Math.min(Math.floor(rank), sorted.length - 1)] ?? NaN
  if (percent === 50 && Number.isInteger(rank)) return ((sorted[rank - 1] ?? NaN) + upper) / 2
  return upper
}
