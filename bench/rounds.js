import { createResult } from './result.js'
/** @import { Bench } from './bench.js' */
/** @import { Result } from './result.js' */

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {number} [target]
 * @property {() => Promise<number>} run gives seconds
 */

/**
 * Ours and every peer in turn, round after round: what slows the machine for a while then hits all of them, and the ratio within
 * a round still means something. A first run of ours, which is not counted, warms the server up for all of them.
 * @param {Bench} bench
 * @param {{ scenario: string, metric: string, ours: () => Promise<number>, peers: Peer[] }} race
 * @returns {Promise<Result[]>}
 */
export async function runRounds (bench, { scenario, metric, ours, peers }) {
  const contenders = [{ name: 'ours', run: ours }, ...peers]
  /** @type {Map<string, number[]>} */
  const seconds = new Map(contenders.map(({ name }) => [name, []]))

  // Whoever came first would read the tables from the disk, and leave on each row that its transaction is known to have committed
  await bench.settle()
  await ours()

  for (let round = 1; round <= bench.rounds; round++) {
    for (const { name, run } of contenders) {
      await bench.settle()
      const took = await run()
      seconds.get(name)?.push(took)
      bench.say(`round ${round}, ${name}: ${took.toFixed(2)} s`)
    }
  }

  const own = seconds.get('ours') ?? []
  const results = peers.map(({ name, target }) => createResult({
    scenario, metric, unit: 's', ours: own, against: { name, values: seconds.get(name) ?? [] }, ...target !== undefined && { target }
  }))
  return results.length > 0 ? results : [createResult({ scenario, metric, unit: 's', ours: own })]
}
