import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from './statistics.js'

/**
 * @typedef {object} Load
 * @property {number} sent
 * @property {number} failed
 * @property {number} p99Ms
 */

/**
 * Requests per second that a route serves to this process: 32 clients each send a request when the last one has been
 * answered.
 * @param {string} url
 * @param {number} ms
 */
export async function measureCapacity (url, ms) {
  const agent = new Agent({ keepAlive: true })
  const startedAt = performance.now()
  let served = 0
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (performance.now() - startedAt < ms) {
      await request(url, agent)
      served++
    }
  }))
  agent.destroy()
  return served / (performance.now() - startedAt) * 1000
}

/**
 * Sends requests at a fixed rate while the work runs, whether or not earlier ones have been answered. A service that
 * stalls thus delays every request that is due in the meantime.
 * @template T
 * @param {string} url
 * @param {number} rate requests per second
 * @param {() => Promise<T>} work
 * @returns {Promise<Load & { result: T }>}
 */
export async function applyLoad (url, rate, work) {
  const agent = new Agent({ keepAlive: true })
  /** @type {number[]} */
  const latencies = []
  /** @type {Promise<void>[]} */
  const requests = []
  let failed = 0

  const end = new AbortController()
  const working = work().finally(() => end.abort())
  const startedAt = performance.now()
  while (!end.signal.aborted) {
    const due = (performance.now() - startedAt) / 1000 * rate
    while (requests.length < due) {
      const sentAt = performance.now()
      const answered = request(url, agent)
      requests.push(answered.then(() => { latencies.push(performance.now() - sentAt) }, () => { failed++ }))
    }
    await sleep(1)
  }
  const result = await working
  await Promise.all(requests)
  agent.destroy()
  return { sent: requests.length, failed, p99Ms: percentile(latencies, 99), result }
}

/**
 * @param {string} url
 * @param {Agent} agent
 * @returns {Promise<void>}
 */
function request (url, agent) {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`${url} answered ${response.statusCode}`))
      })
    }).once('error', reject)
  })
}
