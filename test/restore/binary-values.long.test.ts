import { deepStrictEqual } from 'node:assert/strict'
import t from 'tap'
import { inTransaction, type Transaction } from '../../lib/postgres/driver/transaction.ts'
import type { BinaryColumn } from '../../lib/snapshot/codec/binary-encoders.ts'
import type { EncodedColumn } from '../../lib/snapshot/codec/column-encoding.ts'
import { quoteLiteral } from '../../lib/postgres/identifiers.ts'
import { rowToBinary } from '../snapshot/to-binary.ts'
import { useDatabase } from '../support/database.ts'
import fc from '../support/fast-check.ts'
import { damage, damaged } from '../snapshot/damage.ts'
import { toCopy, toJson } from '../snapshot/transcode.ts'
import { binaryTypes, columnsOf, load, outputSettings, typeDefinitions } from './binary-values.ts'

const prefix = '{"v":'
const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'

/** A value as an editor may have written it: no backup was asked for the text form of the value. */
function jsonOf (text: string, encoding: EncodedColumn['encoding']): Buffer {
  const isPlain = encoding === 'jsonb' || (encoding === 'number' && /^-?\d/.test(text))
  const boolean = text === 't' ? 'true' : 'false'
  if (encoding === 'boolean') return Buffer.from(boolean)
  return Buffer.from(isPlain ? text : JSON.stringify(text))
}

interface Columns { encoded: EncodedColumn[], binary: BinaryColumn[] }

/** The row of a snapshot with this value: an array is a list there, unless it has other lower bounds than 1. */
async function writtenRow (tx: Transaction, type: string, text: string, encoded: EncodedColumn[]): Promise<Buffer> {
  await tx.run(`DELETE FROM by_text; INSERT INTO by_text VALUES (${quoteLiteral(text)}::${type})`)
  const rows: Buffer[] = []
  await tx.copyOut(['COPY by_text TO STDOUT'], {
    begin () {},
    row (bytes, start, end) {
      rows.push(toJson(encoded, bytes.subarray(start, end)))
      return undefined
    }
  })
  return Buffer.concat(rows)
}

/**
 * What is accepted is loaded by text with the same result: the same bytes, or an error. Text checks the UTF-8 of a
 * complete row first, so the error may be another one.
 */
async function isTheSameAsText (tx: Transaction, { encoded, binary }: Columns, row: Buffer): Promise<boolean> {
  const accepted = rowToBinary(binary, row)
  if (accepted === undefined) return false
  await tx.run('DELETE FROM by_text; DELETE FROM by_binary')
  const errors = [
    await load(tx, 'by_text', [toCopy(encoded, row)], 'text'), await load(tx, 'by_binary', [accepted], 'binary')
  ]
  deepStrictEqual(errors[1] === undefined, errors[0] === undefined, errors.join())
  const different = await tx.query('SELECT FROM by_text, by_binary WHERE NOT (by_text *= by_binary)')
  deepStrictEqual(different.length, 0)
  return true
}

t.test('an edited or damaged value is refused, or loaded as text would be', async (t) => {
  const { sql } = await useDatabase(t)
  await sql.unsafe(typeDefinitions)
  for (const { type, values } of binaryTypes) {
    await inTransaction(sql, mode, async (tx) => {
      await tx.run(`${outputSettings}; CREATE TABLE by_text (v ${type}); CREATE TABLE by_binary (v ${type})`)
      const { encoded, binary } = await columnsOf(tx, 'by_text')
      const columns = { encoded, binary: binary.flatMap((column) => column ?? []) }
      const encoding = encoded[0]?.encoding ?? 'text'
      let accepted = 0
      const property = fc.asyncProperty(values, fc.array(damage, { maxLength: 2 }), async (text, damages) => {
        const written = encoding.endsWith('[]') && await writtenRow(tx, type, text, encoded)
        const json = written === false ? jsonOf(text, encoding) : written.subarray(prefix.length, -1)
        const row = Buffer.concat([Buffer.from(prefix), damaged(json, damages), Buffer.from('}')])
        if (await isTheSameAsText(tx, columns, row)) accepted++
      })
      await t.resolves(fc.assert(property, { numRuns: 50, endOnFailure: true }), type)
      t.ok(accepted > 5, `${type}: ${accepted} accepted`)
      await tx.run('DROP TABLE by_text, by_binary')
    })
  }
})
