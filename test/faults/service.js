// node test/faults/service.js options
//
// A service; `options` are the options of the plugin as JSON. It sends its address over IPC, and its memory in bytes in
// response to each message. SIGTERM ends it. With `clockOffsetMs`, its clock is ahead of the system clock.

import Fastify from 'fastify'
import backup from 'fastify-backup'

const { clockOffsetMs, ...options } = { clockOffsetMs: 0, ...JSON.parse(process.argv[2] ?? '{}') }
if (clockOffsetMs > 0) {
  const SystemDate = Date
  globalThis.Date = new Proxy(SystemDate, {
    construct: (target, values) => Reflect.construct(
      target, values.length === 0 ? [SystemDate.now() + clockOffsetMs] : values
    ),
    get: (target, name) => name === 'now' ? () => SystemDate.now() + clockOffsetMs : Reflect.get(target, name)
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
