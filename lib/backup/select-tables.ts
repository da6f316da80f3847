import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/** The name, qualified unless the table is in `ownSchema`. */
export const relativeName = ({ schema, name }: TableRef, ownSchema: string): string =>
  schema === ownSchema ? name : `${schema}.${name}`

/**
 * Whether excludeTables contains a table, as `name` or `schema.name`. The log table in its schema is always excluded.
 */
export function createExclusion (excludeTables: string[], logTable: TableRef): (table: TableRef) => boolean {
  const excluded = new Set(excludeTables)
  return ({ schema, name }) => excluded.has(name) || excluded.has(`${schema}.${name}`) ||
    (schema === logTable.schema && name === logTable.name)
}

/**
 * The tables of a snapshot or a restore of `schema`. A partition's rows belong to its root, so tableProblems() reports
 * a partition that is excluded by itself.
 */
export function selectTables<Table extends { name: string }> (
  tables: Table[], schema: string, isExcluded: (table: TableRef) => boolean
): Table[] {
  return tables.filter(({ name }) => !isExcluded({ schema, name }))
}

/** Those of these tables that the options exclude, without the log table. */
export function excludedNames (
  names: string[], schema: string, isExcluded: (table: TableRef) => boolean, logTable: TableRef
): string[] {
  const isLog = (name: string): boolean => schema === logTable.schema && name === logTable.name
  return names.filter((name) => isExcluded({ schema, name }) && !isLog(name))
}

/** Those of `names`, each `name` or `schema.name`, of which there is no table of any kind. */
export async function findUnknownNames (tx: Transaction, names: string[], schema: string): Promise<string[]> {
  if (names.length === 0) return []
  const unknown = await tx.query<{ name: string }>(`
    SELECT name FROM json_array_elements_text($1::text::json) AS name
    WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'f')
        AND (n.nspname = $2::text AND c.relname = name OR concat(n.nspname, '.', c.relname) = name))`,
  [JSON.stringify(names), schema])
  return unknown.map(({ name }) => name)
}

/** What the role needs to read a table or a sequence that it cannot read. A part of messages. */
export const missingPrivilege = (
  { schema, reachable }: { schema: string, reachable: boolean }, name: string
): string => reachable ? `the SELECT privilege on ${name}` : `the USAGE privilege on the schema ${schema} of ${name}`

/** Problems for tables whose rows cannot all be read. */
export function tableProblems (tables: CatalogTable[], isExcluded: (table: TableRef) => boolean): string[] {
  return tables.flatMap((table) => table.relations.flatMap((relation, index) => {
    const name = `${relation.schema}.${relation.name}`
    const problems = []
    if (relation.kind === 'f') {
      problems.push(`${name} is a foreign table and a partition of ${table.name}; exclude ${table.name}`)
    }
    if (index > 0 && isExcluded(relation)) {
      problems.push(`${name} is a partition of ${table.name} and cannot be excluded by itself; exclude ${table.name}`)
    }
    if (!relation.selectable) {
      problems.push(`the role lacks ${missingPrivilege(relation, name)}; grant it, or exclude ${table.name}`)
    }
    if (relation.hidesRows) problems.push(`row security may hide rows of ${name} from the role; it needs BYPASSRLS`)
    for (const column of relation.generates.filter(({ byFunction }) => byFunction)) {
      problems.push(`${name} generates the column ${column.name} by a function while ${table.name} does not, ` +
        `so a restore could change its values; exclude ${table.name}`)
    }
    return problems
  }))
}
