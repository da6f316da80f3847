import { median } from './statistics.js'

/**
 * One line of the report.
 * @typedef {object} Result
 * @property {string} scenario
 * @property {string} metric
 * @property {'s' | 'ms' | 'MB' | 'requests'} unit of `ours` and `peer`
 * @property {number} ours
 * @property {string | null} against what the peer is
 * @property {number | null} peer
 * @property {number | null} ratio the median of each round's ours / peer
 * @property {number | null} target the most that the ratio may be; without a peer, the most that `ours` may be
 * @property {boolean | null} reached
 */

/**
 * @typedef {object} Measurement
 * @property {string} scenario
 * @property {string} metric
 * @property {Result['unit']} unit
 * @property {number[]} ours of each round
 * @property {{ name: string, values: number[] }} [against] of the same rounds
 * @property {number} [target]
 */

/**
 * @param {Measurement} measurement
 * @returns {Result}
 */
export function createResult ({ scenario, metric, unit, ours, against, target }) {
  const ratio = against === undefined ? null : median(ours.map((value, round) => value / (against.values[round] ?? NaN)))
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
