// @ts-check
// A snapshot every 6 hours, kept for 30 days. It stays up and tells of each one; Ctrl-C ends it.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/schedule.js
//
// Start it as often as you like: all that use one database make one snapshot a slot between them.

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
    cron: '0 */6 * * *', // or real cron: { mode: 'calendar', cron: '30 2 * * 1-5', timezone: 'Europe/Berlin' }
    retentionDays: 30
  }
})

app.backup.on('backup:completed', ({ filename, trigger, rowCount }) => console.log(`${trigger}: ${filename}, ${rowCount} rows`))
app.backup.on('backup:failed', ({ schema, error }) => console.log(`the backup of ${schema} failed: ${error.message}`))
app.backup.on('backup:pruned', ({ backup, reason }) => console.log(`pruned ${backup.filename}: ${reason}`))

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())

const { nextRunAt, newest } = await app.backup.status()
console.log(`The newest snapshot is of ${newest[0]?.finishedAt ?? 'never'}, the next one runs at ${nextRunAt}`)

/** The routes are for nobody here. */
async function refuseAll () {
  throw Object.assign(new Error('By code only'), { statusCode: 403 })
}
