import { once } from 'node:events'
import { get } from 'node:http'
import { createResult } from '../result.js'
import { median } from '../statistics.js'
import { time } from '../stopwatch.js'
/** @import { Bench, Scenario } from '../bench.js' */

const pairsPerRound = 5

/** @type {Scenario} */
export const download = {
  name: 'download',
  schema: 'bare',
  async run (bench) {
    /** @type {{ ours: number[], fastifyStatic: number[] }} */
    const seconds = { ours: [], fastifyStatic: [] }
    for (let round = 1; round <= bench.rounds; round++) {
      const { ours, fastifyStatic } = await runRound(bench)
      seconds.ours.push(...ours)
      seconds.fastifyStatic.push(...fastifyStatic)
      const [own, peer] = [ours, fastifyStatic].map((values) => median(values).toFixed(2))
      bench.log(`round ${round}: ours ${own} s, @fastify/static ${peer} s`)
    }
    return [createResult({
      scenario: 'download',
      metric: 'download, wall time',
      unit: 's',
      ours: seconds.ours,
      against: { name: '@fastify/static', values: seconds.fastifyStatic },
      target: 1.1
    })]
  }
}

/** @param {Bench} bench */
async function runRound (bench) {
  const { result: snapshot } = await bench.withService('bare', (service) => service.create())
  await bench.settle()
  return await bench.withService('bare', async ({ origin }) => {
    const ours = `${origin}/admin/backup/${snapshot.id}/download`
    const fastifyStatic = `${origin}/static/${snapshot.filename}`
    // Not counted: the first reads fill the page cache and compile the code of both routes
    for (const url of [ours, fastifyStatic]) await fetchAndDiscard(url)

    /** @type {{ ours: number[], fastifyStatic: number[] }} */
    const seconds = { ours: [], fastifyStatic: [] }
    for (let pair = 0; pair < pairsPerRound; pair++) {
      seconds.ours.push(await time(() => fetchAndDiscard(ours)))
      seconds.fastifyStatic.push(await time(() => fetchAndDiscard(fastifyStatic)))
    }
    return seconds
  })
}

/** @param {string} url */
async function fetchAndDiscard (url) {
  const [response] = /** @type {[import('node:http').IncomingMessage]} */ (await once(get(url), 'response'))
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`)
  response.resume()
  await once(response, 'end')
}
