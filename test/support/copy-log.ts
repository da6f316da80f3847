import type { Sql } from 'postgres'

/** Copies the rows of a log into the empty log of another database, which is then its continuation. */
export async function copyLog (from: Sql, to: Sql): Promise<void> {
  for (const { restore: generated, ...row } of await from`SELECT * FROM backup_logs`) {
    await to`INSERT INTO backup_logs ${to(row)}`
  }
}
