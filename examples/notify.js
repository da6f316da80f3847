// @ts-check
// Tells other services about backups: a ping for each run, as healthchecks.io and similar services expect it, and a
// webhook when something needs attention. Takes one backup and ends.
//
//   DATABASE_URL=postgres://… PING_URL=https://hc-ping.com/<uuid> WEBHOOK_URL=https://… node examples/notify.js
//
// A notification never fails or delays a run: listeners are not awaited, and each request has a time limit.

import Fastify from 'fastify'
import backup from 'fastify-backup'

const { DATABASE_URL, PING_URL, WEBHOOK_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const app = Fastify({ logger: { level: 'warn' } })
await app.register(backup, { enabled: true, connection: DATABASE_URL, auth: [refuseAll] })

/** Requests that have not ended. @type {Set<Promise<void>>} */
const pending = new Set()

app.backup
  .on('backup:started', ({ id }) => { ping('/start', id) })
  .on('backup:completed', ({ id }) => { ping('', id) })
  .on('backup:failed', ({ id, schema, error }) => {
    ping('/fail', id, error.message)
    callWebhook({ text: `The backup of ${schema} failed: ${error.message}` })
  })
  .on('backup:suspect', ({ schema, filename }) => {
    callWebhook({ text: `The snapshot ${filename} of ${schema} lost many rows` })
  })
  .on('restore:failed', ({ schema, error }) => {
    callWebhook({ text: `A restore of ${schema} failed: ${error.message}` })
  })
// A service that is closing first sends what is left
app.addHook('onClose', async () => { await Promise.all(pending) })

await app.ready()
try {
  const { filename } = await app.backup.create()
  console.log(`completed ${filename}`)
} catch (error) {
  console.log(String(error))
  process.exitCode = 1
}
await app.close()

/**
 * `rid` distinguishes runs that overlap.
 * @param {string} state
 * @param {string} id
 * @param {string} [message]
 */
function ping (state, id, message = '') {
  if (PING_URL) send(`${PING_URL}${state}?rid=${id}`, message)
}

/** @param {{ text: string }} message */
function callWebhook (message) {
  if (WEBHOOK_URL) send(WEBHOOK_URL, JSON.stringify(message), { 'content-type': 'application/json' })
}

/**
 * @param {string} url
 * @param {string} body
 * @param {Record<string, string>} [headers]
 */
function send (url, body, headers = {}) {
  const request = post(url, body, headers).catch((error) => { app.log.warn(`${new URL(url).host}: ${error.message}`) })
  pending.add(request)
  request.finally(() => { pending.delete(request) })
}

/**
 * @param {string} url
 * @param {string} body
 * @param {Record<string, string>} headers
 */
async function post (url, body, headers) {
  const response = await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(5000) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`status ${response.status}`)
}

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
