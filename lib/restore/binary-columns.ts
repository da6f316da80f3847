import type { ServerFacts } from '../postgres/catalog/server.ts'
import { type BinaryColumn, binaryColumn } from '../snapshot/codec/binary-encoders.ts'
import { isSameType, type TableToRestore } from './restore-plan.ts'

/**
 * The encoders of the columns of a table, in the order of the manifest. Undefined if the rows must be loaded as text: a
 * column has no encoder, its type has changed, or it is not loaded; or the database is not in UTF-8, where
 * createTextCheck() must see the text.
 */
export function binaryColumns (
  { table, recorded, columns }: TableToRestore, server: ServerFacts
): BinaryColumn[] | undefined {
  if (server.encoding !== 'UTF8' || columns.length === 0 || columns.length < recorded.columns.length) return undefined
  const current = new Map(table.columns.map((column) => [column.name, column]))
  const found = recorded.columns.flatMap((column) => {
    const now = current.get(column.name)
    // A type with an encoder has the delimiter of most types, which a manifest does not name
    const isSame = now !== undefined && isSameType(now, column) && column.delimiter === undefined
    return isSame ? binaryColumn(now) ?? [] : []
  })
  return found.length < recorded.columns.length ? undefined : found
}
