// @ts-check
// A backup every 6 hours, kept for 30 days. Keeps running, and prints a line for each one. Ctrl-C ends it.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/schedule.js
//
// Start it several times: all processes that use one database make one backup per slot together.

import Fastify from 'fastify'
import backup from 'fastify-backup'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const app = Fastify({ logger: { level: 'warn' } })

await app.register(backup, {
  enabled: true,
  connection: DATABASE_URL,
  auth: [refuseAll],
  maxBackups: 120,
  schedule: {
    enabled: true,
    cron: '0 */6 * * *', // or: { mode: 'calendar', cron: '30 2 * * 1-5', timezone: 'Europe/Berlin' }
    retentionDays: 30
  }
})

app.backup
  .on('backup:completed', ({ filename, trigger, rowCount }) => console.log(`${trigger}: ${filename}, ${rowCount} rows`))
  .on('backup:failed', ({ schema, error }) => console.log(`the backup of ${schema} failed: ${error.message}`))
  .on('backup:pruned', ({ backup, reason }) => console.log(`pruned ${backup.filename}: ${reason}`))

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())

const { nextRunAt, newest } = await app.backup.status()
console.log(`The newest snapshot: ${newest[0]?.finishedAt ?? 'none yet'}. The next backup: ${nextRunAt}`)

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
