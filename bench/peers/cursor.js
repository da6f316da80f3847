// A backup without a library: a cursor for each table, JSON.stringify for each row.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import postgres from 'postgres'
import { answer } from '../child/answer.js'

answer({
  /**
   * @param {{ url: string, schema: string, tables: string[], file: string }} args
   * @returns {Promise<number>} milliseconds
   */
  async dump ({ url, schema, tables, file }) {
    const sql = postgres(url, {
      max: 1,
      // JSON.stringify turns a Buffer into an array of numbers
      types: { bytea: { to: 17, from: [17], serialize: String, parse: (/** @type {string} */ hex) => hex } }
    })
    await sql`SELECT 1`

    const startedAt = performance.now()
    const output = createWriteStream(file, { flush: true })
    await sql.begin('isolation level repeatable read read only', async (tx) => {
      output.write('{')
      for (const [index, table] of tables.entries()) {
        output.write(`${index === 0 ? '' : ','}\n${JSON.stringify(table)}:[`)
        let separator = '\n'
        for await (const rows of tx`SELECT * FROM ${tx(schema)}.${tx(table)}`.cursor(500)) {
          const canContinue = output.write(separator + rows.map((row) => JSON.stringify(row)).join(',\n'))
          separator = ',\n'
          if (!canContinue) await once(output, 'drain')
        }
        output.write('\n]')
      }
      output.end('\n}\n')
    })
    await once(output, 'close')
    const ms = performance.now() - startedAt

    await sql.end()
    return ms
  }
})
