import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { holdsUnfaithfulText, isFaithful, readUnfaithfulNames } from '../postgres/catalog/encodings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/**
 * Problems for tables whose names, columns or constraints the conversion to UTF-8 and back changes. Only some encodings
 * need a query.
 */
export async function nameProblems (
  tx: Transaction, tables: CatalogTable[], { encoding }: ServerFacts
): Promise<string[]> {
  if (isFaithful(encoding)) return []
  const oids = tables.flatMap(({ relations }) => relations.map(({ oid }) => oid))
  const names = await readUnfaithfulNames(tx, oids, encoding)
  return names.map((name) => `a name or a constraint of ${name} has ${unfaithfulText({ encoding })}`)
}

/** The first table with text that the conversion to UTF-8 and back changes: a restore would store other text. */
export async function findUnfaithfulTable (
  tx: Transaction, tables: CatalogTable[], server: ServerFacts
): Promise<string | undefined> {
  if (isFaithful(server.encoding)) return undefined
  for (const table of tables) {
    for (const relation of table.relations.filter(({ kind }) => kind === 'r')) {
      if (await holdsUnfaithfulText(tx, relation, table, server)) return table.name
    }
  }
}

/** A part of messages. */
export const unfaithfulText = ({ encoding }: Pick<ServerFacts, 'encoding'>): string =>
  `text that the conversion to UTF-8 and back changes (the database's encoding is ${encoding})`
