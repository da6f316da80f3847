import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { applyLoad, measureCapacity } from '../load.js'
import { timePgDump } from '../peers/dumps.js'
import { timePgRestore } from '../peers/loads.js'
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
    /** @type {Record<'create' | 'restore' | 'idle' | 'pgDump' | 'pgRestore', Load[]>} */
    const loads = { create: [], restore: [], idle: [], pgDump: [], pgRestore: [] }
    const dump = bench.pathOf('host.dump')
    if (bench.hasPgPrograms) await bench.runPgProgram('pg_dump', ['-Fc', '-a', '-n', 'bare', '-f', dump])

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
          loads.pgDump.push(await applyLoad(url, rate, () => timePgDump(bench, 'bare', 'p')))
          await bench.settle()
          loads.pgRestore.push(await applyLoad(url, rate, () =>
            timePgRestore(bench, { schema: 'bare', dump, options: ['-1'] })))
        }
        const p99s = [idle, create, restore].map(({ p99Ms }) => p99Ms.toFixed(1)).join(', ')
        bench.log(`round ${round}, ${Math.round(rate)} requests/s: p99 ${p99s} ms (idle, create, restore)`)
      })
    }

    await rm(dump, { force: true })
    const { create, restore, idle, pgDump, pgRestore } = loads
    return [
      ...compare('create', create, [
        { name: 'the same during pg_dump -Fp -a', loads: pgDump, target: 1.1 },
        { name: 'the same when idle', loads: idle }
      ]),
      ...compare('restore', restore, [
        { name: 'the same during TRUNCATE, pg_restore -a -1', loads: pgRestore, target: 1.1 },
        { name: 'the same when idle', loads: idle }
      ])
    ]
  }
}

/**
 * @param {string} run
 * @param {Load[]} during
 * @param {Array<{ name: string, loads: Load[], target?: number }>} others those without loads were not measured
 * @returns {Result[]}
 */
function compare (run, during, others) {
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
    ...others.filter(({ loads }) => loads.length > 0).map(({ name, loads, target }) => createResult({
      scenario: 'host',
      metric: `requests during ${run}, p99`,
      unit: 'ms',
      ours: during.map(({ p99Ms }) => p99Ms),
      against: { name, values: loads.map(({ p99Ms }) => p99Ms) },
      ...target !== undefined && { target }
    }))
  ]
}
