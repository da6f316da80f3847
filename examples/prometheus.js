// @ts-check
// Metrics of the backups for Prometheus, at /metrics. Ctrl-C ends it.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/prometheus.js

import Fastify from 'fastify'
import * as client from 'prom-client'
import backup from 'fastify-backup'
import { registerMetrics } from 'fastify-backup/metrics'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const app = Fastify({ logger: { level: 'warn' } })
await app.register(backup, {
  enabled: true,
  connection: DATABASE_URL,
  auth: [refuseAll],
  schedule: { enabled: true, cron: '0 */6 * * *' }
})
registerMetrics(app.backup, client)

// Values are read from the log of the backups at each request. Let only your monitoring system reach this route
app.get('/metrics', async (request, reply) => {
  reply.type(client.register.contentType)
  return await client.register.metrics()
})

const address = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
await app.backup.create()
console.log(`curl ${address}/metrics`)

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
