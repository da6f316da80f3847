/** @import { Result } from '../result.js' */

export const headings = ['what', 'ours', 'peer', 'its value', 'ratio', 'target', 'reached']

const digits = { s: 2, ms: 1, MB: 0, requests: 0 }

/**
 * A result as a row of a table.
 * @param {Result} result
 * @returns {string[]}
 */
export function formatCells ({ metric, unit, ours, against, peer, ratio, target, reached }) {
  const show = (/** @type {number} */ value) => unit === 'requests' ? String(value) : `${value.toFixed(digits[unit])} ${unit}`
  return [
    metric,
    show(ours),
    against ?? '',
    peer === null ? '' : show(peer),
    ratio === null ? '' : ratio.toFixed(2),
    target === null ? '' : `at most ${ratio === null ? show(target).replace(/\.0+(?= )/, '') : target}`,
    reached === null ? '' : reached ? 'yes' : 'NO'
  ]
}
