/** @import { Result } from '../result.js' */

export const headings = ['measurement', 'fastify-backup', 'peer', 'value of the peer', 'ratio', 'target', 'reached']

const digits = { s: 2, ms: 1, MB: 0, requests: 0 }

/**
 * Formats a result as the cells of a table row.
 * @param {Result} result
 * @returns {string[]}
 */
export function formatCells ({ metric, unit, ours, against, peer, ratio, target, reached }) {
  const show = (/** @type {number} */ value) =>
    unit === 'requests' ? String(value) : `${value.toFixed(digits[unit])} ${unit}`
  return [
    metric,
    show(ours),
    against ?? '',
    peer === null ? '' : show(peer),
    ratio === null ? '' : ratio.toFixed(2),
    target === null ? '' : `at most ${ratio === null ? show(target).replace(/\.0+(?= )/, '') : target}`,
    reached === null ? '' : reached ? 'yes' : 'no'
  ]
}
