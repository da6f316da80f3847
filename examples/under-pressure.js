// @ts-check
// Health of the backups at GET /status, by @fastify/under-pressure. Ctrl-C ends it.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/under-pressure.js
//
// Use the route for an alert, not for a liveness or readiness probe: a service whose backups fail should go on serving.

import Fastify from 'fastify'
import underPressure from '@fastify/under-pressure'
import backup from 'fastify-backup'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const app = Fastify({ logger: { level: 'warn' } })
await app.register(backup, { enabled: true, connection: DATABASE_URL, auth: [refuseAll] })

await app.register(underPressure, {
  exposeStatusRoute: '/status',
  // Without an interval it is called for each request to the route, and only then
  async healthCheck () {
    const { healthy, problems } = await app.backup.status()
    if (!healthy) throw new Error(problems.map(({ code }) => code).join(', '))
    return true
  }
})

const address = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
console.log(`curl ${address}/status`)

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
