// @ts-check
// The plugin with a database URL and a bearer token. Keeps running: try the commands that it prints. Ctrl-C ends it.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/url.js
//
// Snapshots of the schema public go to ./backups. The log is the table backup_logs of that schema.
// Restores are off; auth.js shows how to allow them.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import backup from 'fastify-backup'

const { DATABASE_URL } = process.env
const ADMIN_TOKEN = process.env.ADMIN_TOKEN || randomBytes(24).toString('base64url')
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const app = Fastify({ logger: { level: 'warn' } })

// Digests have the same length, so that a comparison in constant time is possible
const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest()
const expected = digest(`Bearer ${ADMIN_TOKEN}`)

/** @param {import('fastify').FastifyRequest} request */
async function verifyAdmin (request) {
  if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return
  throw Object.assign(new Error('Admins only'), { statusCode: 401 })
}

await app.register(backup, {
  enabled: true,
  connection: DATABASE_URL,
  auth: [verifyAdmin]
})

const origin = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())

const curl = `curl -H "Authorization: Bearer ${ADMIN_TOKEN}"`
console.log(`create a backup    ${curl} -X POST ${origin}/admin/backup`)
console.log(`list backups       ${curl} ${origin}/admin/backup`)
console.log(`show the status    ${curl} ${origin}/admin/backup/status`)
