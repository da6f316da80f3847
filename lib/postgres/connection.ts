import postgres, { type Options, type PostgresType } from 'postgres'
import { OptionInvalid } from '../errors.ts'

/** A postgres.js instance, whatever types its owner registered: its rows are never parsed, see query.ts. */
export type Sql = postgres.Sql

/** Connections that a run needs: one for its transaction, one for the log and for cancelling it. */
const connectionsNeeded = 2

/** Throws FST_BACKUP_OPTION_INVALID for a pool so small that a run would wait for itself. */
function requireRoom (sql: Sql, option: string): Sql {
  if (sql.options.max < connectionsNeeded) {
    throw new OptionInvalid(`option '${option}' has max: ${sql.options.max}, but a backup needs its transaction and the log at once; give it max: ${connectionsNeeded} or more`)
  }
  return sql
}

export const acceptPool = (sql: Sql): Sql => requireRoom(sql, 'sql')

/** Opens nothing yet: postgres.js connects with the first query. */
export function createPool (connection: string | Options<Record<string, PostgresType>> | undefined): Sql {
  const url = typeof connection === 'string' ? connection : connection === undefined ? process.env.DATABASE_URL : undefined
  const settings = {
    // In PgBouncer's transaction mode the next statement may meet another server process
    prepare: false,
    fetch_types: false,
    connect_timeout: 10,
    // A database that came back is noticed soon; the default waits up to 20 s
    backoff: () => 0.5,
    idle_timeout: 60,
    onnotice () {},
    ...typeof connection === 'object' && connection
  }
  return requireRoom(url === undefined ? postgres(settings) : postgres(url, settings), 'connection')
}
