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
 * Creates a database for the benchmark, so that it neither reads nor changes other databases of the server.
 * @param {string} serverUrl
 * @returns {Promise<BenchDatabase>}
 */
export async function createDatabase (serverUrl) {
  const name = `fastify_backup_bench_${randomBytes(4).toString('hex')}`
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await execute(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  const sql = postgres(url.href, { max: 2, onnotice () {} })

  return {
    url: url.href,
    sql,
    async drop () {
      await sql.end({ timeout: 0 })
      // An interrupted run may still be connected
      await execute(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`)
    }
  }
}

/**
 * @param {string} url
 * @param {string} statement
 */
async function execute (url, statement) {
  const sql = postgres(url, { max: 1, onnotice () {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

/**
 * Runs before each measurement: a checkpoint writes the pages that the run before has changed.
 * @param {Sql} sql
 */
export async function settle (sql) {
  try {
    await sql`CHECKPOINT`
  } catch (err) {
    // Only superusers and pg_checkpoint may; on a server given by --url other roles measure without checkpoints
    if (!(err instanceof postgres.PostgresError) || err.code !== '42501') throw err
  }
}
