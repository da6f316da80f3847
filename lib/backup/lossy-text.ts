import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { containsLossyText, isLossless, readLossyNames } from '../postgres/catalog/encodings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/**
 * Problems for tables whose names, columns or constraints the conversion to UTF-8 and back changes. Only some encodings
 * need a query.
 */
export async function nameProblems (
  tx: Transaction, tables: CatalogTable[], { encoding }: ServerFacts
): Promise<string[]> {
  if (isLossless(encoding)) return []
  const oids = tables.flatMap(({ relations }) => relations.map(({ oid }) => oid))
  const names = await readLossyNames(tx, oids, encoding)
  return names.map((name) => `a name or a constraint of ${name} has ${describeLossyText({ encoding })}`)
}

/** The first table with text that the conversion to UTF-8 and back changes: a restore would store other text. */
export async function findLossyTable (
  tx: Transaction, tables: CatalogTable[], server: ServerFacts
): Promise<string | undefined> {
  if (isLossless(server.encoding)) return undefined
  for (const table of tables) {
    for (const relation of table.relations.filter(({ kind }) => kind === 'r')) {
      if (await containsLossyText(tx, relation, table, server)) return table.name
    }
  }
}

/** A part of messages. */
export const describeLossyText = ({ encoding }: Pick<ServerFacts, 'encoding'>): string =>
  `text that the conversion to UTF-8 and back changes (the database's encoding is ${encoding})`
