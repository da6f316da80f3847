import type { PendingQuery, Row as AnyRow } from 'postgres'
import { quoteLiteral } from '../identifiers.ts'
import type { Sql } from './connection.ts'
import { takeUntransformedRows, type RowTransform } from './internals.ts'

/** Runs statements: a pool, or the connection of a transaction. */
export type Queryable = Pick<Sql, 'unsafe'>
export type Parameter = string | null

/**
 * Runs statements and returns the first column of their rows, not parsed and not transformed, for any transforms and
 * types of the application's instance. Statements have no bound parameters, so no serializer of the instance is called.
 */
async function readRows (queryable: Queryable, statement: string, transform: RowTransform): Promise<Buffer[]> {
  const query: PendingQuery<AnyRow[]> = queryable.unsafe(statement)
  const rows: Buffer[] = []
  takeUntransformedRows(query, transform, ([first]) => { if (first !== undefined) rows.push(first) })
  await query.raw()
  return rows
}

/** Whether a statement for queryRows() changes data. */
export const changesData = (text: string): boolean =>
  /^\s*WITH\b.*?\bq AS \(\s*(?:INSERT|UPDATE|DELETE)\b/s.test(text)

/**
 * Runs a statement and returns its rows as objects. The server converts them to JSON, which does not depend on
 * DateStyle and similar settings.
 *
 * Parameters are text: cast them in the statement (`$1::uuid`; an array so becomes a constant, which is searched by
 * hash). They become literals of the statement, because a bound parameter would pass through the serializers of the
 * application's instance, and need another round trip. A statement that changes data must be a CTE named `q` with
 * RETURNING; other CTEs may precede it.
 * @param before statements without rows that run before it in the same round trip, each with its semicolon
 */
export async function queryRows<Row> (
  queryable: Queryable, transform: RowTransform, text: string, parameters: Parameter[] = [], before = ''
): Promise<Row[]> {
  const filled = fillIn(text, parameters)
  const statement = changesData(text)
    ? `${filled} SELECT pg_catalog.row_to_json(q)::text FROM q`
    : `SELECT pg_catalog.row_to_json(q)::text FROM (${filled}) q`
  return (await readRows(queryable, before + statement, transform)).map((row) => JSON.parse(row.toString()) as Row)
}

/** Throws a TypeError when the statement returns no row. */
export async function queryRow<Row> (
  queryable: Queryable, transform: RowTransform, text: string, parameters?: Parameter[]
): Promise<Row> {
  const [row] = await queryRows<Row>(queryable, transform, text, parameters)
  if (row === undefined) throw new TypeError('a statement that must return one row returned none')
  return row
}

/** See Transaction. */
export async function isDirect (queryable: Queryable, transform: RowTransform): Promise<boolean> {
  const query: PendingQuery<AnyRow[]> = queryable.unsafe('SELECT pg_catalog.pg_backend_pid()::text')
  let pid = ''
  takeUntransformedRows(query, transform, ([first]) => { pid = String(first) })
  const { state } = await query.raw()
  return String(state.pid) === pid
}

/** Runs one or several statements and ignores their rows. */
export async function runStatements (queryable: Queryable, transform: RowTransform, text: string): Promise<void> {
  await readRows(queryable, text, transform)
}

/**
 * `$1` is the first parameter, except in a quoted name, a string or a comment, where it is left unchanged: a schema may
 * have that name.
 */
function fillIn (text: string, parameters: Parameter[]): string {
  return text.replaceAll(/--[^\n]*|"[^"]*"|'[^']*'|\$(\d+)/g, (found, number: string | undefined) => {
    if (number === undefined) return found
    const value = parameters[Number(number) - 1]
    if (value === undefined) throw new TypeError(`a statement has no parameter ${number}`)
    // The server ignores everything after it
    if (value?.includes('\0') === true) throw new TypeError('a parameter contains NUL')
    return value === null ? 'NULL' : quoteLiteral(value)
  })
}
