import type { ServerFacts } from '../postgres/catalog/server.ts'
import { type BinaryColumn, binaryColumn } from '../snapshot/codec/binary-format.ts'
import { describeColumn } from '../snapshot/codec/column-encoding.ts'
import type { TableToRestore } from './restore-plan.ts'

/**
 * How COPY BINARY represents the columns of the table; undefined where its rows must be text: for a column whose type
 * has changed or has no encoder, for columns that are not loaded, and in a database that is not in UTF-8, whose text is
 * compared with what it would store.
 */
export function binaryColumns (
  { table, recorded, columns }: TableToRestore, { encoding }: ServerFacts
): BinaryColumn[] | undefined {
  if (encoding !== 'UTF8' || columns.length === 0 || columns.length < recorded.columns.length) return undefined
  const current = new Map(table.columns.map((column) => [column.name, column]))
  const found = recorded.columns.flatMap(({ name, type, encoding }) => {
    const column = current.get(name)
    const isSame = column?.type === type && describeColumn(column).encoding === encoding
    return isSame ? binaryColumn(column) ?? [] : []
  })
  return found.length < recorded.columns.length ? undefined : found
}
