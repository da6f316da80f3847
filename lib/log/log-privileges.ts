import { LogUnusable } from '../errors.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction } from '../postgres/driver/transaction.ts'
import { logTableName } from './log-table.ts'

interface Privileges {
  role: string
  /** Whether the role may alter the table; null without a table. */
  isOwner: boolean | null
  /** Those that the role lacks. */
  schema: string[]
  table: string[]
}

const lacking = (list: string, test: string): string =>
  `coalesce((SELECT json_agg(p) FROM unnest(ARRAY[${list}]) p WHERE NOT ${test}), '[]')`

const query = `SELECT current_user::text AS role,
    pg_has_role(c.relowner, 'USAGE') AS "isOwner",
    ${lacking("'USAGE', 'CREATE'", 'has_schema_privilege(n.oid, p)')} AS schema,
    ${lacking("'SELECT', 'INSERT', 'UPDATE', 'DELETE'", 'has_table_privilege(c.oid, p)')} AS "table"
  FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $2::text
  WHERE n.nspname = $1::text`

/**
 * The error for a statement on the log that the server has refused for want of a privilege: it says which one, and how
 * to grant it. Undefined if the role has all privileges, so that something else was refused. Rejects if the schema does
 * not exist.
 * @param isMigration whether the statement created or altered the table
 */
export async function explainDenied (sql: Sql, schema: string, isMigration: boolean): Promise<Error | undefined> {
  const found = await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
    await pinSettings(tx)
    return await tx.queryRow<Privileges>(query, [schema, logTableName])
  })
  const { role, isOwner } = found
  const name = `${schema}.${logTableName}`
  const grant = (privileges: string[], on: string): string =>
    `GRANT ${privileges.join(', ')} ON ${on} TO ${quoteIdentifier(role)}`
  const needed = isMigration ? found.schema : found.schema.filter((privilege) => privilege === 'USAGE')
  if (needed.length > 0) {
    const statement = grant(needed, `SCHEMA ${quoteIdentifier(schema)}`)
    return new LogUnusable(`the role ${role} lacks ${needed.join(', ')} on the schema ${schema}, which the table ` +
      `${name} needs; run ${statement}, or name another schema by logSchema`)
  }
  if (isMigration && isOwner === false) {
    return new LogUnusable(`the role ${role} does not own the table ${name}, which has to be migrated; ` +
      'connect once as its owner')
  }
  if (found.table.length === 0) return undefined
  return new LogUnusable(`the role ${role} lacks ${found.table.join(', ')} on the table ${name}; ` +
    `run ${grant(found.table, qualifiedName(schema, logTableName))}`)
}
