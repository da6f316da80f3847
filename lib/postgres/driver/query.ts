import type { PendingQuery, Row as AnyRow } from 'postgres'
import type { Sql } from './connection.ts'
import { quoteLiteral } from '../identifiers.ts'

/** What can run a statement: a pool, or a transaction's own connection. */
export type Queryable = Pick<Sql, 'unsafe'>
export type Parameter = string | null

/** What an instance makes of the rows of its queries; of postgres.js, by its `options`. */
export interface RowTransform { from?: unknown }

/**
 * Runs statements and gives the first column of their rows, unread and untouched, whatever the caller's own instance does with rows, columns and types.
 *
 * postgres.js 3.4.9 hands each row to `transform.row.from`, a raw one too, which may replace it or throw. It asks the query for `forEachFn` just before, and
 * calls that just after, all in one expression: so for the time between, and for nobody else, there is no such transform. Without parameters no
 * serializer has a say. The tests "transforms and types of the caller's own" tell when this can go, or no longer works.
 */
async function readRows (queryable: Queryable, statement: string, transform: RowTransform): Promise<Buffer[]> {
  const query: PendingQuery<AnyRow[]> = queryable.unsafe(statement)
  const rows: Buffer[] = []
  const { from } = transform
  const take = ([first]: Buffer[]): void => {
    transform.from = from
    if (first !== undefined) rows.push(first)
  }
  Object.defineProperty(query, 'forEachFn', {
    get () {
      transform.from = undefined
      return take
    }
  })
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
