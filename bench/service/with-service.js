import { startChild } from '../child/start-child.js'
/** @import { Backup, RestoreResult, Verification } from 'fastify-backup' */
/** @import { Footprint } from './footprint.js' */
/** @import { ServiceOptions } from './service.js' */

/**
 * @template T
 * @typedef {{ result: T, wallMs: number, footprint: Footprint }} Measured
 */

/**
 * @typedef {object} Service
 * @property {string} origin of its URLs
 * @property {(ms: number) => Promise<Measured<undefined>>} idle
 * @property {() => Promise<Measured<Backup>>} create
 * @property {(id: string) => Promise<void>} remove
 * @property {(id: string) => Promise<Measured<RestoreResult>>} restore
 * @property {(id: string) => Promise<Measured<Verification>>} verify
 */

/**
 * Runs a service with the plugin in a new process until the work has ended.
 * @template T
 * @param {ServiceOptions} options
 * @param {AbortSignal} signal
 * @param {(service: Service) => Promise<T>} work
 */
export async function withService (options, signal, work) {
  const child = startChild(new URL('service.js', import.meta.url), signal)
  try {
    const origin = await child.call('start', options)
    const result = await work({
      origin,
      idle: (ms) => child.call('idle', ms),
      create: () => child.call('create'),
      remove: (id) => child.call('remove', id),
      restore: (id) => child.call('restore', id),
      verify: (id) => child.call('verify', id)
    })
    await child.call('stop')
    return result
  } finally {
    await child.end()
  }
}
