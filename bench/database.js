import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
/** @import { Sql } from 'postgres' */

/**
 * @typedef {object} BenchDatabase
 * @property {string} url
 * @property {Sql} sql
 * @property {() => Promise<void>} drop
 */

/**
 * A database of the benchmark's own, so that whatever else the server holds is neither read nor touched.
 * @param {string} serverUrl
 * @returns {Promise<BenchDatabase>}
 */
export async function createDatabase (serverUrl) {
  const name = `fastify_backup_bench_${randomBytes(4).toString('hex')}`
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  const sql = postgres(url.href, { max: 2, onnotice () {} })

  return {
    url: url.href,
    sql,
    async drop () {
      await sql.end({ timeout: 0 })
      // What was interrupted may still be connected
      await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`)
    }
  }
}

/**
 * @param {string} url
 * @param {string} statement
 */
async function administer (url, statement) {
  const sql = postgres(url, { max: 1, onnotice () {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

/**
 * Before each measured run: nobody pays for what another one left to be written.
 * @param {Sql} sql
 */
export async function settle (sql) {
  try {
    await sql`CHECKPOINT`
  } catch (err) {
    // Only superusers and pg_checkpoint may; a server given by --url is measured without
    if (!(err instanceof postgres.PostgresError) || err.code !== '42501') throw err
  }
}
