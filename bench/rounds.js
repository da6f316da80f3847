import { createResult } from './result.js'
/** @import { Bench } from './bench.js' */
/** @import { Result } from './result.js' */

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {number} [target]
 * @property {() => Promise<number>} run returns seconds
 */

/**
 * Measures fastify-backup and every peer in each round, one after another. When the machine is slow for a while, all of
 * them are slow, and the ratio within the round is still meaningful.
 * @param {Bench} bench
 * @param {{ scenario: string, metric: string, ours: () => Promise<number>, peers: Peer[] }} comparison
 * @returns {Promise<Result[]>}
 */
export async function runRounds (bench, { scenario, metric, ours, peers }) {
  const implementations = [{ name: 'ours', run: ours }, ...peers]
  /** @type {Map<string, number[]>} */
  const seconds = new Map(implementations.map(({ name }) => [name, []]))

  // Not counted: the first run reads the tables from the disk and sets the hint bits of their rows
  await bench.settle()
  await ours()

  for (let round = 1; round <= bench.rounds; round++) {
    for (const { name, run } of implementations) {
      await bench.settle()
      const elapsed = await run()
      seconds.get(name)?.push(elapsed)
      bench.log(`round ${round}, ${name}: ${elapsed.toFixed(2)} s`)
    }
  }

  const own = seconds.get('ours') ?? []
  const results = peers.map(({ name, target }) => createResult({
    scenario,
    metric,
    unit: 's',
    ours: own,
    against: { name, values: seconds.get(name) ?? [] },
    ...target !== undefined && { target }
  }))
  return results.length > 0 ? results : [createResult({ scenario, metric, unit: 's', ours: own })]
}
