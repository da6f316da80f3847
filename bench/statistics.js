/** @param {number[]} values */
export const median = (values) => percentile(values, 50)

/**
 * Between two values it is the one in the middle of them for the median, and the upper one else.
 * @param {number[]} values
 * @param {number} percent
 */
export function percentile (values, percent) {
  const sorted = values.toSorted((a, b) => a - b)
  const place = percent / 100 * sorted.length
  const upper = sorted[Math.min(Math.floor(place), sorted.length - 1)] ?? NaN
  if (percent === 50 && Number.isInteger(place)) return ((sorted[place - 1] ?? NaN) + upper) / 2
  return upper
}
