import { truncateTables } from '../data/schemas.js'
import { askOnce } from '../child/start-child.js'
import { time } from '../stopwatch.js'
/** @import { Bench } from '../bench.js' */

/**
 * @param {Bench} bench
 * @param {string} schema
 * @param {string} dump of pg_dump -Fc -a
 */
export async function timePgRestore (bench, schema, dump) {
  const database = new URL(bench.url).pathname.slice(1)
  return await time(async () => {
    await truncateTables(bench.sql, schema)
    await bench.runPgProgram('pg_restore', ['-a', '-1', '-n', schema, '-d', database, dump])
  })
}

/**
 * @param {Bench} bench
 * @param {string} schema
 * @param {string} file a snapshot
 */
export async function timeInserts (bench, schema, file) {
  return await askOnce(new URL('inserts.js', import.meta.url), 'load', { url: bench.url, schema, file }, bench.signal) / 1000
}
