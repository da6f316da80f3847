import { largeValueBytes } from '../data/schemas.js'
import { createResult } from '../result.js'
/** @import { Bench, Scenario } from '../bench.js' */
/** @import { Result } from '../result.js' */
/** @import { Footprint } from '../service/footprint.js' */

/** Memory and event-loop delay of the process that runs a create or a restore. @type {Scenario} */
export const footprint = {
  name: 'footprint',
  schema: 'bare',
  async run (bench) {
    const { idle, create, restore } = await watchRounds(bench, 'bare')
    return [
      memoryResult('footprint', 'create', create, { target: 100 }),
      memoryResult('footprint', 'restore', restore, { target: 100 }),
      ...Object.entries({ idle, create, restore }).flatMap(([run, footprints]) => delayResults(run, footprints))
    ]
  }
}

/** @type {Scenario} */
export const largeValue = {
  name: 'large-value',
  schema: 'large_value',
  async run (bench) {
    const { create, restore } = await watchRounds(bench, 'large_value')
    const megabytes = largeValueBytes / 1e6
    const target = 1.5
    return Object.entries({ create, restore }).map(([run, footprints]) => {
      const against = { name: 'the value', values: footprints.map(() => megabytes) }
      return memoryResult('large-value', `${run} with one value of ${megabytes} MB`, footprints, { against, target })
    })
  }
}

/**
 * @param {Bench} bench
 * @param {string} schema
 */
async function watchRounds (bench, schema) {
  /** @type {Record<'idle' | 'create' | 'restore', Footprint[]>} */
  const footprints = { idle: [], create: [], restore: [] }

  for (let round = 1; round <= bench.rounds; round++) {
    await bench.settle()
    const idle = await bench.withService(schema, (service) => service.idle(2000))
    footprints.idle.push(idle.footprint)
    const created = await bench.withService(schema, (service) => service.create())
    footprints.create.push(created.footprint)
    await bench.settle()
    const restored = await bench.withService(schema, (service) => service.restore(created.result.id))
    footprints.restore.push(restored.footprint)
    bench.log(`round ${round}: create ${describe(created.footprint)}; restore ${describe(restored.footprint)}`)
  }
  return footprints
}

/** @param {Footprint} footprint */
function describe (footprint) {
  const megabytes = Math.round(overIdle(footprint))
  return `${megabytes} MB over idle, event-loop delay p99 ${footprint.delayP99Ms.toFixed(1)} ms`
}

/** @param {Footprint} footprint */
const overIdle = ({ peakBytes, idleBytes }) => (peakBytes - idleBytes) / 1e6

/**
 * @param {string} scenario
 * @param {string} run
 * @param {Footprint[]} footprints
 * @param {{ against?: { name: string, values: number[] }, target: number }} limit
 * @returns {Result}
 */
function memoryResult (scenario, run, footprints, limit) {
  const ours = footprints.map(overIdle)
  return createResult({ scenario, metric: `${run}, peak RSS over idle`, unit: 'MB', ours, ...limit })
}

/**
 * The idle process has no target: its delay is the part that the machine causes.
 * @param {string} run
 * @param {Footprint[]} footprints
 * @returns {Result[]}
 */
function delayResults (run, footprints) {
  const p99 = footprints.map(({ delayP99Ms }) => delayP99Ms)
  const max = footprints.map(({ delayMaxMs }) => delayMaxMs)
  const hasTarget = run !== 'idle'
  return [
    createResult({
      scenario: 'footprint',
      metric: `${run}, event-loop delay p99`,
      unit: 'ms',
      ours: p99,
      ...hasTarget && { target: 10 }
    }),
    createResult({
      scenario: 'footprint',
      metric: `${run}, event-loop delay max`,
      unit: 'ms',
      ours: max,
      ...hasTarget && { target: 50 }
    })
  ]
}
