import { truncateTables } from '../data/schemas.js'
import { callOnce } from '../child/start-child.js'
import { time } from '../stopwatch.js'
/** @import { Bench } from '../bench.js' */

/**
 * Seconds that TRUNCATE and pg_restore take.
 * @param {Bench} bench
 * @param {{ schema: string, dump: string, options: string[] }} load `dump` was made by pg_dump -Fc -a
 */
export async function timePgRestore (bench, { schema, dump, options }) {
  const database = new URL(bench.url).pathname.slice(1)
  return await time(async () => {
    await truncateTables(bench.sql, schema)
    await bench.runPgProgram('pg_restore', ['-a', ...options, '-n', schema, '-d', database, dump])
  })
}

/**
 * Seconds that TRUNCATE and INSERTs take.
 * @param {Bench} bench
 * @param {string} schema
 * @param {string} file a snapshot
 */
export async function timeInserts (bench, schema, file) {
  const script = new URL('inserts.js', import.meta.url)
  const ms = await callOnce(script, 'load', { url: bench.url, schema, file }, bench.signal)
  return ms / 1000
}
