import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What a run costs the process that hosts it.
 * @typedef {object} Footprint
 * @property {number} idleBytes resident when it began
 * @property {number} peakBytes the most that was ever resident
 * @property {number} delayP99Ms of the event loop
 * @property {number} delayMaxMs of the event loop
 */

/** @returns {Promise<() => Footprint>} ends the watch */
export async function watchFootprint () {
  // What starting the app left to do is none of the run's
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
