// node test/faults/service.js options
//
// A service, with the plugin's options as JSON. Tells its address over IPC, on each message the bytes of memory that it
// holds, and ends by SIGTERM as a service does. With a `clockOffsetMs` its clock is that much ahead of the machine's.

import Fastify from 'fastify'
import backup from 'fastify-backup'

const { clockOffsetMs, ...options } = { clockOffsetMs: 0, ...JSON.parse(process.argv[2] ?? '{}') }
if (clockOffsetMs > 0) {
  const machines = Date
  globalThis.Date = new Proxy(machines, {
    construct: (target, values) => Reflect.construct(target, values.length === 0 ? [machines.now() + clockOffsetMs] : values),
    get: (target, name) => name === 'now' ? () => machines.now() + clockOffsetMs : Reflect.get(target, name)
  })
}
const app = Fastify({ logger: { level: 'warn' } })
await app.register(backup, { enabled: true, auth: false, restoreAuth: [async () => {}], ...options })
process.once('SIGTERM', () => {
  app.close().then(() => { process.exit() }, () => { process.exit(1) })
})
const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(address)
process.on('message', () => { process.send?.(process.memoryUsage.rss()) })
