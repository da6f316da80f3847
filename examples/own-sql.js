// @ts-check
// Backups by code, with your own postgres.js instance, and with events. Creates one, reads it, and ends.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/own-sql.js
//
// The snapshot of the schema public goes to ./backups. The log is the table backup_logs of that schema.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import Fastify from 'fastify'
import backup from 'fastify-backup'
import postgres from 'postgres'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

// The plugin needs max: 2 or more, and leaves it to us to close the instance
const sql = postgres(DATABASE_URL, { max: 5 })
const app = Fastify()

await app.register(backup, { enabled: true, sql, auth: [refuseAll] })

try {
  app.backup.on('backup:started', ({ id, schema }) => console.log(`started    ${id} of the schema ${schema}`))

  const run = await app.backup.create({ note: 'before the migration', actor: 'examples/own-sql.js' })
  const { filename, tableCount, rowCount, sizeBytes, durationMs } = run
  console.log(`completed  ${filename}: ${tableCount} tables, ${rowCount} rows, ${sizeBytes} bytes in ${durationMs} ms`)
  console.log(`checksum   ${run.checksum}`)

  const { stream } = await app.backup.download(run.id)
  const [line] = await once(createInterface({ input: stream }), 'line')
  stream.destroy()
  console.log(`manifest   ${line.slice(0, 100)}…`)

  const { newest, bytesHeld } = await app.backup.status()
  console.log(`held       ${bytesHeld} bytes; the newest snapshot is from ${newest[0]?.finishedAt}`)
} finally {
  await app.close()
  await sql.end()
}

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
