// A restore without a library: INSERTs of 500 rows each, which PostgreSQL reads from JSON.

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import postgres from 'postgres'
import { truncateTables } from '../data/schemas.js'
import { answer } from '../child/answer.js'

answer({
  /**
   * @param {{ url: string, schema: string, file: string }} args file: a snapshot of the plugin, with one row per line
   * @returns {Promise<number>} milliseconds
   */
  async load ({ url, schema, file }) {
    const sql = postgres(url, { max: 1 })
    await sql`SELECT 1`

    const startedAt = performance.now()
    await sql.begin(async (tx) => {
      await truncateTables(tx, schema)
      for await (const { table, rows } of readBatches(file, 500)) {
        const target = tx`${tx(schema)}.${tx(table)}`
        const json = `[${rows.join(',')}]`
        await tx`INSERT INTO ${target} SELECT * FROM json_populate_recordset(NULL::${target}, ${json}::text::json)`
      }
    })
    const ms = performance.now() - startedAt

    await sql.end()
    return ms
  }
})

/**
 * @param {string} file
 * @param {number} size
 */
async function * readBatches (file, size) {
  let table = ''
  /** @type {string[]} */
  let rows = []
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const opened = /^"([^"]+)":\[$/.exec(line)?.[1]
    if (opened !== undefined) table = opened
    if (line.startsWith('{"') && table !== '') rows.push(line.endsWith(',') ? line.slice(0, -1) : line)
    if (rows.length === size || (line.startsWith(']') && rows.length > 0)) {
      yield { table, rows }
      rows = []
    }
  }
}
