// A process that runs one PostgreSQL server for its parent. When the channel to the parent closes, it stops the server
// and removes the server's files. That also works after SIGKILL, which the parent cannot handle.

import { createCluster } from './postgres-cluster.js'

/** @typedef {{ id: number, command: 'start' | 'stop', mode: 'fast' | 'immediate' }} Request */

const creating = createCluster(JSON.parse(process.argv[2] ?? ''))
/** @type {Promise<unknown>} */
let last = creating.catch(() => {})

process.on('message', (/** @type {Request} */ { id, command, mode }) => {
  last = last.then(async () => {
    try {
      const cluster = await creating
      answer({ id, result: command === 'start' ? await cluster.start() : await cluster.stop(mode) })
    } catch (err) {
      answer({ id, error: describe(err) })
    }
  })
})

process.once('disconnect', () => {
  last = last.then(async () => {
    const cluster = await creating.catch(() => undefined)
    if (cluster === undefined) return
    // A server that does not stop exits later: it checks once per minute whether postmaster.pid still exists
    await cluster.stop('fast').catch(() => cluster.stop('immediate')).catch(report)
    cluster.remove()
  }).catch(report)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => { if (process.connected) process.disconnect() })
}

/** @param {unknown} err */
function report (err) {
  console.error(err)
  process.exitCode = 1
}

/** @param {object} message */
function answer (message) {
  if (process.connected) process.send?.(message)
}

/**
 * @param {unknown} err
 * @returns {string}
 */
function describe (err) {
  if (!(err instanceof Error)) return String(err)
  return err.cause === undefined ? err.message : `${err.message}\n${describe(err.cause)}`
}
