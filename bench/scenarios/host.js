import { setTimeout as sleep } from 'node:timers/promises'
import { applyLoad, measureCapacity } from '../load.js'
import { timePgDump } from '../peers/dumps.js'
import { createResult } from '../result.js'
/** @import { Scenario } from '../bench.js' */
/** @import { Load } from '../load.js' */
/** @import { Result } from '../result.js' */

const quietMs = 5000

/** What callers of another route of the same app notice, at a third of what it can serve. @type {Scenario} */
export const host = {
  name: 'host',
  schema: 'bare',
  async run (bench) {
    /** @type {Record<'quiet' | 'create' | 'restore' | 'dump', Load[]>} */
    const loads = { quiet: [], create: [], restore: [], dump: [] }

    for (let round = 1; round <= bench.rounds; round++) {
      await bench.settle()
      await bench.withService('bare', async (service) => {
        const url = `${service.origin}/ping`
        await measureCapacity(url, 1000)
        const capacity = await measureCapacity(url, 2000)
        const rate = capacity / 3
        const quiet = await applyLoad(url, rate, () => sleep(quietMs))
        const create = await applyLoad(url, rate, service.create)
        await bench.settle()
        const restore = await applyLoad(url, rate, () => service.restore(create.result.result.id))
        for (const [run, load] of Object.entries({ quiet, create, restore })) loads[/** @type {keyof typeof loads} */ (run)].push(load)
        if (bench.hasPgPrograms) {
          await bench.settle()
          loads.dump.push(await applyLoad(url, rate, () => timePgDump(bench, 'bare', 'p')))
        }
        bench.say(`round ${round}, ${Math.round(rate)} requests/s: p99 ${[quiet, create, restore].map(({ p99Ms }) => p99Ms.toFixed(1)).join(', ')} ms (quiet, create, restore)`)
      })
    }

    const { quiet, create, restore, dump } = loads
    return [
      ...Object.entries({ create, restore }).flatMap(([run, busy]) => compare(run, busy, quiet)),
      ...dump.length > 0 ? [compareP99('requests while pg_dump -Fp -a runs instead, p99', dump, quiet)] : []
    ]
  }
}

/**
 * @param {string} run
 * @param {Load[]} busy
 * @param {Load[]} quiet
 * @returns {Result[]}
 */
function compare (run, busy, quiet) {
  const unserved = busy.reduce((sum, { failed }) => sum + failed, 0)
  const sent = busy.reduce((sum, load) => sum + load.sent, 0)
  return [
    createResult({ scenario: 'host', metric: `requests not served during ${run}, of ${sent}`, unit: 'requests', ours: [unserved], target: 0 }),
    compareP99(`requests during ${run}, p99`, busy, quiet, 2)
  ]
}

/**
 * @param {string} metric
 * @param {Load[]} busy
 * @param {Load[]} quiet
 * @param {number} [target]
 */
function compareP99 (metric, busy, quiet, target) {
  return createResult({
    scenario: 'host',
    metric,
    unit: 'ms',
    ours: busy.map(({ p99Ms }) => p99Ms),
    against: { name: 'without it', values: quiet.map(({ p99Ms }) => p99Ms) },
    ...target !== undefined && { target }
  })
}
