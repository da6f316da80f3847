import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Memory and event-loop delay of the process that runs a backup or a restore.
 * @typedef {object} Footprint
 * @property {number} idleBytes RSS at the start of the run
 * @property {number} peakBytes the process's highest RSS
 * @property {number} delayP99Ms of the event loop
 * @property {number} delayMaxMs of the event loop
 */

/** @returns {Promise<() => Footprint>} ends the measurement */
export async function watchFootprint () {
  // Work left from the start of the app must not count as the run's
  await sleep(250)
  const idleBytes = process.memoryUsage().rss
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(50)
  delay.reset()

  return () => {
    delay.disable()
    return {
      idleBytes,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      delayP99Ms: delay.percentile(99) / 1e6,
      delayMaxMs: delay.max / 1e6
    }
  }
}
