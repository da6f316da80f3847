import type { PendingQuery, Row as AnyRow } from 'postgres'
import type { Sql } from './connection.ts'
import { takeUntransformedRows, type RowTransform } from './internals.ts'
import { quoteLiteral } from '../identifiers.ts'

/** What can run a statement: a pool, or a transaction's own connection. */
export type Queryable = Pick<Sql, 'unsafe'>
export type Parameter = string | null

/**
 * Runs statements and returns the first column of their rows, not parsed and not transformed, whatever the caller's own instance does with rows, columns
 * and types. Without parameters no serializer of the instance is called.
 */
async function readRows (queryable: Queryable, statement: string, transform: RowTransform): Promise<Buffer[]> {
  const query: PendingQuery<AnyRow[]> = queryable.unsafe(statement)
  const rows: Buffer[] = []
  takeUntransformedRows(query, transform, ([first]) => { if (first !== undefined) rows.push(first) })
  await query.raw()
  return rows
}

/**
 * Runs a statement and gives its rows as objects, by way of JSON, which passes by DateStyle and its kin.
 *
 * Parameters are text: cast them in the statement (`$1::uuid`; an array so becomes a constant, which is searched by hash). They are put into it as literals, since a bound one would go through the serializers
 * of the caller's instance, and take a round trip more. A statement that changes data goes into a CTE named `q` with RETURNING.
 */
export async function queryRows<Row> (queryable: Queryable, transform: RowTransform, text: string, parameters: Parameter[] = []): Promise<Row[]> {
  const filled = fillIn(text, parameters)
  const statement = /^\s*WITH q AS/.test(filled)
    ? `${filled} SELECT pg_catalog.row_to_json(q)::text FROM q`
    : `SELECT pg_catalog.row_to_json(q)::text FROM (${filled}) q`
  return (await readRows(queryable, statement, transform)).map((row) => JSON.parse(row.toString()) as Row)
}

export async function queryRow<Row> (queryable: Queryable, transform: RowTransform, text: string, parameters?: Parameter[]): Promise<Row> {
  const [row] = await queryRows<Row>(queryable, transform, text, parameters)
  if (row === undefined) throw new TypeError('a statement that is to give one row gave none')
  return row
}

/** Runs one or several statements whose rows are of no interest. */
export async function runStatements (queryable: Queryable, transform: RowTransform, text: string): Promise<void> {
  await readRows(queryable, text, transform)
}

/** `$1` stands for the first parameter, but in a quoted name, a string or a comment, where it is what it is: a schema may be called so. */
function fillIn (text: string, parameters: Parameter[]): string {
  return text.replaceAll(/--[^\n]*|"[^"]*"|'[^']*'|\$(\d+)/g, (found, number: string | undefined) => {
    if (number === undefined) return found
    const value = parameters[Number(number) - 1]
    if (value === undefined) throw new TypeError(`a statement has no parameter ${number}`)
    // Behind it nothing of the statement would be read
    if (value?.includes('\0') === true) throw new TypeError('a parameter holds NUL')
    return value === null ? 'NULL' : quoteLiteral(value)
  })
}
