import { median } from './statistics.js'

/**
 * A row of the report.
 * @typedef {object} Result
 * @property {string} scenario
 * @property {string} metric
 * @property {'s' | 'ms' | 'MB' | 'requests'} unit of `ours` and `peer`
 * @property {number} ours value of fastify-backup
 * @property {string | null} against name of the peer
 * @property {number | null} peer
 * @property {number | null} ratio ours / peer: the median of all rounds
 * @property {number | null} target upper limit of the ratio, or of `ours` without a peer
 * @property {boolean | null} reached
 */

/**
 * @typedef {object} Measurement
 * @property {string} scenario
 * @property {string} metric
 * @property {Result['unit']} unit
 * @property {number[]} ours one value per round
 * @property {{ name: string, values: number[] }} [against] the peer, with its values in the same rounds
 * @property {number} [target]
 */

/**
 * @param {Measurement} measurement
 * @returns {Result}
 */
export function createResult ({ scenario, metric, unit, ours, against, target }) {
  const ratio = against === undefined
    ? null
    : median(ours.map((value, round) => value / (against.values[round] ?? NaN)))
  return {
    scenario,
    metric,
    unit,
    ours: median(ours),
    against: against?.name ?? null,
    peer: against === undefined ? null : median(against.values),
    ratio,
    target: target ?? null,
    reached: target === undefined ? null : (ratio ?? median(ours)) <= target
  }
}
