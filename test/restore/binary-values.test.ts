import { deepStrictEqual } from 'node:assert/strict'
import t from 'tap'
import { inTransaction, type Transaction } from '../../lib/postgres/driver/transaction.ts'
import { quoteLiteral } from '../../lib/postgres/identifiers.ts'
import { rowToBinary } from '../snapshot/to-binary.ts'
import { useDatabase } from '../support/database.ts'
import fc from '../support/fast-check.ts'
import { arrayOut } from '../snapshot/copy-text.ts'
import { toJson } from '../snapshot/transcode.ts'
import {
  type BinaryType, binaryTypes, columnsOf, load, outputSettings, typeDefinitions
} from './binary-values.ts'

const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'

interface Given { columns: Parameters<typeof rowToBinary>[0], rows: Array<{ text: string | null, json: Buffer }> }

/** Stores values, and returns their text forms and the rows of a snapshot. */
async function give (tx: Transaction, type: string, values: string[]): Promise<Given> {
  await tx.run(`INSERT INTO given SELECT n, x::${type}
    FROM unnest(${quoteLiteral(arrayOut(values))}::text[]) WITH ORDINALITY AS u (x, n) UNION ALL SELECT 0, NULL`)
  const { encoded, binary } = await columnsOf(tx, 'given')
  const lines: Buffer[] = []
  await tx.copyOut(['COPY (SELECT * FROM given ORDER BY id) TO STDOUT'], {
    begin () {},
    row (bytes, start, end) {
      lines.push(Buffer.from(bytes.subarray(start, end)))
      return undefined
    }
  })
  const texts = await tx.query<{ text: string | null }>('SELECT v::text AS text FROM given ORDER BY id')
  return {
    columns: binary.flatMap((column) => column ?? []),
    rows: texts.map(({ text }, index) => ({ text, json: toJson(encoded, lines[index] as Buffer) }))
  }
}

async function loadsTheSame (tx: Transaction, { type, staysText }: BinaryType, values: string[]): Promise<void> {
  await tx.run('TRUNCATE given, loaded')
  const { columns, rows } = await give(tx, type, values)
  deepStrictEqual(columns.length, 2)
  const encoded = rows.map(({ text, json }) => ({ text, binary: rowToBinary(columns, json) }))
  const text = encoded.filter(({ binary }) => binary === undefined).map(({ text }) => text)
  deepStrictEqual(text, rows.map(({ text }) => text).filter((text) => text !== null && staysText?.(text) === true))
  deepStrictEqual(await load(tx, 'loaded', encoded.flatMap(({ binary }) => binary ?? []), 'binary'), undefined)
  const changed = await tx.query(`SELECT id, given.v::text AS given, loaded.v::text AS loaded
    FROM given JOIN loaded USING (id) WHERE NOT (given *= loaded)`)
  deepStrictEqual(changed, [])
  const [{ count }] = await tx.query<{ count: number }>('SELECT count(*)::int FROM loaded') as [{ count: number }]
  deepStrictEqual(count, encoded.length - text.length)
}

t.test('a value that is loaded by COPY BINARY has the same bytes as the one in the snapshot', async (t) => {
  const { sql } = await useDatabase(t)
  await sql.unsafe(typeDefinitions)
  for (const type of binaryTypes) {
    await inTransaction(sql, mode, async (tx) => {
      await tx.run(`${outputSettings}; CREATE TABLE given (id int, v ${type.type}); CREATE TABLE loaded (LIKE given)`)
      const property = fc.asyncProperty(fc.array(type.values, { minLength: 50, maxLength: 100 }), async (values) => {
        await loadsTheSame(tx, type, values)
      })
      await t.resolves(fc.assert(property, { numRuns: 2, endOnFailure: true }), type.type)
      await tx.run('DROP TABLE given, loaded')
    })
  }
})
