import postgres, { type Sql } from 'postgres'

/** Calls a function with a connection of the URL's role, and ends the connection. */
export async function connected<Result> (url: string, use: (sql: Sql) => Promise<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await use(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
