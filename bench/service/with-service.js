import { startChild } from '../child/start-child.js'
/** @import { Backup, RestoreResult } from 'fastify-backup' */
/** @import { Footprint } from './footprint.js' */
/** @import { ServiceOptions } from './service.js' */

/**
 * @template T
 * @typedef {{ result: T, wallMs: number, footprint: Footprint }} Measured
 */

/**
 * @typedef {object} Service
 * @property {string} origin where it listens
 * @property {(ms: number) => Promise<Measured<undefined>>} idle
 * @property {() => Promise<Measured<Backup>>} create
 * @property {(id: string) => Promise<Measured<RestoreResult>>} restore
 */

/**
 * A service with the plugin on it, in a fresh process, for as long as the work takes.
 * @template T
 * @param {ServiceOptions} options
 * @param {AbortSignal} signal
 * @param {(service: Service) => Promise<T>} work
 */
export async function withService (options, signal, work) {
  const child = startChild(new URL('service.js', import.meta.url), signal)
  try {
    const origin = await child.ask('start', options)
    const result = await work({
      origin,
      idle: (ms) => child.ask('idle', ms),
      create: () => child.ask('create'),
      restore: (id) => child.ask('restore', id)
    })
    await child.ask('stop')
    return result
  } finally {
    await child.end()
  }
}
