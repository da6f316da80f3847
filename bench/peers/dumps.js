import { rm } from 'node:fs/promises'
import { callOnce } from '../child/start-child.js'
import { time } from '../stopwatch.js'
/** @import { Bench } from '../bench.js' */

/**
 * Seconds that pg_dump takes for the rows of a schema.
 * @param {Bench} bench
 * @param {string} schema
 * @param {'p' | 'c'} format plain or custom
 */
export async function timePgDump (bench, schema, format) {
  const file = bench.pathOf(`dump.${format}`)
  const seconds = await time(() => bench.runPgProgram('pg_dump', [`-F${format}`, '-a', '-n', schema, '-f', file]))
  await rm(file)
  return seconds
}

/**
 * Seconds that a cursor and JSON.stringify take.
 * @param {Bench} bench
 * @param {string} schema
 * @param {string[]} tables
 */
export async function timeCursor (bench, schema, tables) {
  const file = bench.pathOf('cursor.json')
  const script = new URL('cursor.js', import.meta.url)
  const ms = await callOnce(script, 'dump', { url: bench.url, schema, tables, file }, bench.signal)
  await rm(file)
  return ms / 1000
}
