// node test/faults/replica.js options time
//
// One replica of a service with a schedule. It receives the time over IPC, in milliseconds since the Unix epoch.

import Fastify from 'fastify'
import { createEngine } from '../../lib/create-engine.ts'
import { resolveOptions } from '../../lib/options/resolve-options.ts'

const [given = '{}', start = '0'] = process.argv.slice(2)
let time = Number(start)
/** @type {Set<() => void>} */
const waiting = new Set()
process.on('message', (message) => {
  time = Number(message)
  for (const wake of [...waiting]) wake()
})

const options = resolveOptions(JSON.parse(given))
if (!options.enabled) throw new Error('a replica must be enabled')
const { log } = Fastify({ logger: { level: 'error' } })
const engine = createEngine(options, log, {
  now: () => new Date(time),
  wait: async (_ms, signal) => await new Promise((resolve, reject) => {
    const done = () => {
      waiting.delete(done)
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const abort = () => {
      waiting.delete(done)
      reject(signal.reason)
    }
    waiting.add(done)
    signal.addEventListener('abort', abort, { once: true })
  })
})
engine.start()
process.send?.('started')
