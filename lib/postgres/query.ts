import type { Sql } from './connection.ts'

/** What can run a statement: a pool, or a transaction's own connection. */
export type Runner = Pick<Sql, 'unsafe'>
export type Parameter = string | null

/**
 * Runs a statement and gives its rows as objects, by way of JSON.
 *
 * A caller's own instance may rename columns, parse types or transform rows; raw JSON text passes by all of that, and by
 * DateStyle and its kin. For the same reason parameters are text: cast them in the statement (`$1::text::uuid`). A
 * statement that changes data goes into a CTE named `q` with RETURNING.
 */
export async function queryRows<Row> (runner: Runner, text: string, parameters: Parameter[] = []): Promise<Row[]> {
  const statement = /^\s*WITH q AS/.test(text)
    ? `${text} SELECT pg_catalog.row_to_json(q)::text FROM q`
    : `SELECT pg_catalog.row_to_json(q)::text FROM (${text}) q`
  const rows = await runner.unsafe(statement, parameters).raw() as unknown as Array<{ 0: Buffer }>
  // By its index: a transform of rows is called for raw ones too, and makes what it likes of the array
  return rows.map((row) => JSON.parse(String(row[0])) as Row)
}

export async function queryRow<Row> (runner: Runner, text: string, parameters?: Parameter[]): Promise<Row> {
  const [row] = await queryRows<Row>(runner, text, parameters)
  if (row === undefined) throw new TypeError('a statement that is to give one row gave none')
  return row
}
