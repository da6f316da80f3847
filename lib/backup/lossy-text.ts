import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { holdsUnfaithfulText, isFaithful, readUnfaithfulNames } from '../postgres/catalog/encodings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/** The tables whose names, or whose columns' and constraints', can't be said in UTF-8 and be understood. None costs a query but in such encodings. */
export async function nameProblems (tx: Transaction, tables: CatalogTable[], { encoding }: ServerFacts): Promise<string[]> {
  if (isFaithful(encoding)) return []
  const names = await readUnfaithfulNames(tx, tables.flatMap(({ relations }) => relations.map(({ oid }) => oid)), encoding)
  return names.map((name) => `a name or a constraint of ${name} has ${unfaithfulText({ encoding })}`)
}

/** The first table that holds text which the conversion to UTF-8 and back does not leave as it is: a restore would bring other text. */
export async function findUnfaithfulTable (tx: Transaction, tables: CatalogTable[], server: ServerFacts): Promise<string | undefined> {
  if (isFaithful(server.encoding)) return undefined
  for (const table of tables) {
    for (const relation of table.relations.filter(({ kind }) => kind === 'r')) {
      if (await holdsUnfaithfulText(tx, relation, table, server)) return table.name
    }
  }
}

/** For a message. */
export const unfaithfulText = ({ encoding }: Pick<ServerFacts, 'encoding'>): string =>
  `text that does not survive the conversion to UTF-8 and back (the database's encoding is ${encoding})`
