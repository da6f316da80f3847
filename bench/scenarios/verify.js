import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { runRounds } from '../rounds.js'
import { time } from '../stopwatch.js'
/** @import { Bench, Scenario } from '../bench.js' */

/** @type {Scenario} */
export const verify = {
  name: 'verify',
  schema: 'bare',
  async run (bench) {
    const { result: snapshot } = await bench.withService('bare', (service) => service.create())
    const file = bench.snapshotPath(snapshot.filename)
    return await runRounds(bench, {
      scenario: 'verify',
      metric: 'verify, wall time',
      ours: () => timeVerify(bench, snapshot.id),
      peers: await hasSha256sum()
        ? [{ name: 'sha256sum', target: 3, run: () => time(() => promisify(execFile)('sha256sum', [file])) }]
        : []
    })
  }
}

/**
 * @param {Bench} bench
 * @param {string} id
 */
async function timeVerify (bench, id) {
  const { result, wallMs } = await bench.withService('bare', (service) => service.verify(id))
  if (!result.ok) throw new Error(`The snapshot is damaged: ${result.problems[0]}`)
  return wallMs / 1000
}

const hasSha256sum = () => promisify(execFile)('sha256sum', ['--version']).then(() => true, () => false)
