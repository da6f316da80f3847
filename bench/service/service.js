import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'
import backup from 'fastify-backup'
import { setTimeout as sleep } from 'node:timers/promises'
import { answer } from '../child/answer.js'
import { watchFootprint } from './footprint.js'
/** @import { FastifyInstance } from 'fastify' */

/**
 * @typedef {object} ServiceOptions
 * @property {string} url
 * @property {string} schema
 * @property {string} storagePath
 * @property {boolean} [worker]
 * @property {number} [connections]
 * @property {'none' | 'gzip' | 'zstd'} [compression]
 * @property {number} [maxBackups] each restore adds a pre_restore snapshot of the complete schema
 */

/** @type {FastifyInstance} */
let app

answer({
  /** @param {ServiceOptions} options */
  async start ({ url, schema, storagePath, worker, connections, compression, maxBackups = 1 }) {
    app = Fastify()
    await app.register(backup, {
      enabled: true,
      connection: url,
      schema,
      logSchema: 'public',
      storagePath,
      connections,
      compression,
      maxBackups,
      worker,
      auth: false,
      allowRestore: true,
      restoreAuth: [async () => {}]
    })
    await app.register(fastifyStatic, { root: storagePath, prefix: '/static/' })
    app.get('/ping', async () => ({ pong: true }))
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    await app.backup.list()
    return origin
  },

  /** @param {number} ms */
  idle: (ms) => measure(() => sleep(ms)),

  create: () => measure(() => app.backup.create()),

  /** @param {string} id */
  remove: (id) => app.backup.remove(id),

  /** @param {string} id */
  restore: (id) => measure(() => app.backup.restore(id)),

  /** @param {string} id */
  verify: (id) => measure(() => app.backup.verify(id)),

  stop: () => app.close()
})

/**
 * @template T
 * @param {() => Promise<T>} work
 */
async function measure (work) {
  const finish = await watchFootprint()
  const startedAt = performance.now()
  const result = await work()
  const wallMs = performance.now() - startedAt
  return { result, wallMs, footprint: finish() }
}
