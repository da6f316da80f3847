import * as zlib from 'node:zlib'
import { createResult } from '../result.js'
import { runRounds } from '../rounds.js'
import { timeCreate } from './create.js'
/** @import { Bench, Scenario } from '../bench.js' */
/** @import { Result } from '../result.js' */

/** The time of a create at most, compared with that without compression. Only newer versions of Node.js have zstd. */
const targets = 'zstdCompress' in zlib ? { gzip: 2, zstd: 1.1 } : { gzip: 2 }
const types = /** @type {Array<'gzip' | 'zstd'>} */ (Object.keys(targets))

/** Of the service: both snapshots of a comparison, and that of a restore. */
const maxBackups = 3

/** @type {Scenario} */
export const compression = {
  name: 'compression',
  schema: 'bare',
  async run (bench) {
    const results = []
    for (const type of types) results.push(...await compare(bench, type))
    return results
  }
}

/**
 * @param {Bench} bench
 * @param {'gzip' | 'zstd'} type
 * @returns {Promise<Result[]>}
 */
async function compare (bench, type) {
  const time = await runRounds(bench, {
    scenario: 'compression',
    metric: `create with compression: ${type}, wall time`,
    ours: () => timeCreate(bench, 'bare', { compression: type }),
    peers: [{ name: 'no compression', target: targets[type] ?? 0, run: () => timeCreate(bench, 'bare') }]
  })
  const services = /** @type {const} */ ([type, 'none']).map((compression) => ({ compression, maxBackups }))
  const snapshots = []
  for (const options of services) {
    snapshots.push((await bench.withService('bare', (service) => service.create(), options)).result)
  }
  const [compressed, plain] = snapshots.map(({ id }) => id)
  const sizes = snapshots.map(({ storedBytes }) => Number(storedBytes) / 1e6)
  /** @param {string | undefined} id */
  const timeRestore = async (id) => {
    return await bench.withService('bare', async (service) => {
      const { result } = await service.restore(String(id))
      await service.remove(result.preRestoreId)
      return result.phases.loadMs / 1000
    }, { maxBackups })
  }
  return [
    ...time,
    createResult({
      scenario: 'compression',
      metric: `size of the file with compression: ${type}`,
      unit: 'MB',
      ours: sizes.slice(0, 1),
      against: { name: 'no compression', values: sizes.slice(1) },
      ...type === 'zstd' && { target: 0.25 }
    }),
    ...await runRounds(bench, {
      scenario: 'compression',
      metric: `restore with compression: ${type}, load phase`,
      ours: () => timeRestore(compressed),
      peers: [{ name: 'no compression', ...type === 'zstd' && { target: 1 }, run: () => timeRestore(plain) }]
    })
  ]
}
