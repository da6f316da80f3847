// @ts-check
// Who may do what, decided by your own functions: an admin may create backups, and only the owner may restore.
// Prints what each caller gets, and ends.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/auth.js
//
// Creates the schema example_auth, and drops it at the end. The snapshots go to ./backups.

import Fastify from 'fastify'
import backup from 'fastify-backup'
import postgres from 'postgres'
/** @import { FastifyRequest } from 'fastify' */
/** @typedef {{ id: string, roles: string[] }} User */

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')
const sql = postgres(DATABASE_URL, { onnotice () {} })
await sql.unsafe(`
  DROP SCHEMA IF EXISTS example_auth CASCADE;
  CREATE SCHEMA example_auth;
  CREATE TABLE example_auth.notes AS SELECT 'milk' AS note`)

/** In place of your sessions. @type {Map<string | undefined, User>} */
const sessions = new Map([
  ['Bearer clerk', { id: 'Carl', roles: [] }],
  ['Bearer admin', { id: 'Ada', roles: ['admin'] }],
  ['Bearer owner', { id: 'Olga', roles: ['admin', 'owner'] }]
])

/** Finds the caller. Its id is recorded as createdBy and restoredBy. @param {FastifyRequest} request */
async function verifyUser (request) {
  const user = sessions.get(request.headers.authorization)
  if (user === undefined) throw Object.assign(new Error('Log in first'), { statusCode: 401 })
  request.setDecorator('user', user)
}

const verifyRole = (/** @type {string} */ role) => async (/** @type {FastifyRequest} */ request) => {
  const { roles } = /** @type {User} */ (request.getDecorator('user'))
  if (!roles.includes(role)) throw Object.assign(new Error(`This needs the role ${role}`), { statusCode: 403 })
}

const app = Fastify().decorateRequest('user', null)
await app.register(backup, {
  enabled: true,
  sql,
  schema: 'example_auth',
  auth: [verifyUser, verifyRole('admin')], // all must pass
  allowRestore: true,
  restoreAuth: [verifyRole('owner')] // in addition, for restore, import, delete, unpin and accept
})

try {
  for (const token of ['nobody', 'clerk', 'admin']) console.log(`create by ${token}: ${await call(token, '')}`)
  const id = (await app.backup.list()).backups[0]?.id ?? ''
  for (const token of ['admin', 'owner']) console.log(`restore by ${token}: ${await call(token, `/${id}/restore`)}`)
  const { createdBy, restoredBy } = await app.backup.get(id)
  console.log(`created by ${createdBy}, restored by ${restoredBy}`)
} finally {
  await app.close()
  await sql`DROP SCHEMA example_auth CASCADE`
  await sql.end()
}

async function call (/** @type {string} */ token, /** @type {string} */ path) {
  const headers = { authorization: `Bearer ${token}` }
  const response = await app.inject({ method: 'POST', url: `/admin/backup${path}`, headers })
  return `${response.statusCode} ${response.json().message ?? `${response.json().rowCount} row`}`
}
