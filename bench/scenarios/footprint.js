import { largeValueBytes } from '../data/schemas.js'
import { createResult } from '../result.js'
/** @import { Bench, Scenario } from '../bench.js' */
/** @import { Result } from '../result.js' */
/** @import { Footprint } from '../service/footprint.js' */

/** What create and restore cost the process that hosts them. @type {Scenario} */
export const footprint = {
  name: 'footprint',
  schema: 'bare',
  async run (bench) {
    const { idle, create, restore } = await watchRounds(bench, 'bare')
    return [
      ...Object.entries({ create, restore }).map(([run, footprints]) => memoryResult('footprint', run, footprints, { target: 120 })),
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
    return Object.entries({ create, restore }).map(([run, footprints]) => memoryResult('large-value', `${run} with one value of ${megabytes} MB`, footprints, {
      against: { name: 'the value', values: footprints.map(() => megabytes) },
      target: 4
    }))
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
    footprints.idle.push((await bench.withService(schema, (service) => service.idle(2000))).footprint)
    const created = await bench.withService(schema, (service) => service.create())
    footprints.create.push(created.footprint)
    await bench.settle()
    footprints.restore.push((await bench.withService(schema, (service) => service.restore(created.result.id))).footprint)
    bench.say(`round ${round}: ${['create', 'restore'].map((run) => describe(run, footprints[/** @type {'create' | 'restore'} */ (run)].at(-1))).join('; ')}`)
  }
  return footprints
}

/**
 * @param {string} run
 * @param {Footprint | undefined} footprint
 */
function describe (run, footprint) {
  return footprint === undefined ? '' : `${run} ${Math.round(overIdle(footprint))} MB over idle, event loop p99 ${footprint.delayP99Ms.toFixed(1)} ms`
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
  return createResult({ scenario, metric: `${run}, peak RSS over idle`, unit: 'MB', ours: footprints.map(overIdle), ...limit })
}

/**
 * The idle process has no target: it shows what the machine itself adds.
 * @param {string} run
 * @param {Footprint[]} footprints
 * @returns {Result[]}
 */
function delayResults (run, footprints) {
  const limits = run === 'idle' ? [{}, {}] : [{ target: 15 }, { target: 60 }]
  return [
    createResult({ scenario: 'footprint', metric: `${run}, event-loop delay p99`, unit: 'ms', ours: footprints.map(({ delayP99Ms }) => delayP99Ms), ...limits[0] }),
    createResult({ scenario: 'footprint', metric: `${run}, event-loop delay max`, unit: 'ms', ours: footprints.map(({ delayMaxMs }) => delayMaxMs), ...limits[1] })
  ]
}
