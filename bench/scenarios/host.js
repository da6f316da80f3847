import { setTimeout as sleep } from 'node:timers/promises'
import { applyLoad, measureCapacity } from '../load.js'
import { timePgDump } from '../peers/dumps.js'
import { createResult } from '../result.js'
/** @import { Scenario } from '../bench.js' */
/** @import { Load } from '../load.js' */
/** @import { Result } from '../result.js' */

const idleMs = 5000

/** Latency of another route of the same app, under a third of the load that it can serve. @type {Scenario} */
export const host = {
  name: 'host',
  schema: 'bare',
  async run (bench) {
    /** @type {Record<'idle' | 'create' | 'restore' | 'dump', Load[]>} */
    const loads = { idle: [], create: [], restore: [], dump: [] }

    for (let round = 1; round <= bench.rounds; round++) {
      await bench.settle()
      await bench.withService('bare', async (service) => {
        const url = `${service.origin}/ping`
        await measureCapacity(url, 1000)
        const capacity = await measureCapacity(url, 2000)
        const rate = capacity / 3
        const idle = await applyLoad(url, rate, () => sleep(idleMs))
        loads.idle.push(idle)
        const create = await applyLoad(url, rate, service.create)
        loads.create.push(create)
        await bench.settle()
        const restore = await applyLoad(url, rate, () => service.restore(create.result.result.id))
        loads.restore.push(restore)
        if (bench.hasPgPrograms) {
          await bench.settle()
          loads.dump.push(await applyLoad(url, rate, () => timePgDump(bench, 'bare', 'p')))
        }
        const p99s = [idle, create, restore].map(({ p99Ms }) => p99Ms.toFixed(1)).join(', ')
        bench.log(`round ${round}, ${Math.round(rate)} requests/s: p99 ${p99s} ms (idle, create, restore)`)
      })
    }

    const { idle, create, restore, dump } = loads
    return [
      ...Object.entries({ create, restore }).flatMap(([run, during]) => compare(run, during, idle)),
      ...dump.length > 0 ? [compareP99('requests during pg_dump -Fp -a, p99', dump, idle)] : []
    ]
  }
}

/**
 * @param {string} run
 * @param {Load[]} during
 * @param {Load[]} idle
 * @returns {Result[]}
 */
function compare (run, during, idle) {
  const failed = during.reduce((sum, load) => sum + load.failed, 0)
  const sent = during.reduce((sum, load) => sum + load.sent, 0)
  return [
    createResult({
      scenario: 'host',
      metric: `failed requests during ${run}, of ${sent}`,
      unit: 'requests',
      ours: [failed],
      target: 0
    }),
    compareP99(`requests during ${run}, p99`, during, idle, 2)
  ]
}

/**
 * @param {string} metric
 * @param {Load[]} during
 * @param {Load[]} idle
 * @param {number} [target]
 */
function compareP99 (metric, during, idle, target) {
  return createResult({
    scenario: 'host',
    metric,
    unit: 'ms',
    ours: during.map(({ p99Ms }) => p99Ms),
    against: { name: 'the same when idle', values: idle.map(({ p99Ms }) => p99Ms) },
    ...target !== undefined && { target }
  })
}
