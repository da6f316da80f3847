import { Socket } from 'node:net'
import postgres, { type Options, type PostgresType } from 'postgres'
import { OptionInvalid } from '../errors.ts'

/** A postgres.js instance, whatever types its owner registered. */
export type Sql = postgres.Sql<any>

/** Connections that a run needs: one for its transaction, one for the log. */
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
  const sql = requireRoom(url === undefined ? postgres(settings) : postgres(url, settings), 'connection')
  sendAtOnce(sql)
  return sql
}

interface SocketOptions { host: string[], port: number[], path: string | undefined, socket?: (options: SocketOptions) => Socket }

/**
 * postgres.js leaves Nagle's algorithm on, and then the last message of a COPY waits until the one before it is acknowledged: 40 ms a
 * table, with all of them locked. Only for a server that has one address: trying several in turn is up to postgres.js.
 */
function sendAtOnce (sql: Sql): void {
  const options = sql.options as unknown as SocketOptions
  if (options.host.length === 1 && options.socket === undefined) options.socket = connectSocket
}

/** Still connecting when it is handed out: what is written waits, and an error reaches postgres.js in the ordinary way. */
function connectSocket ({ host: [host = ''], port: [port = 0], path }: SocketOptions): Socket {
  const socket = new Socket()
  // By its name TLS checks the certificate
  Object.assign(socket, { host, port })
  socket.setNoDelay(true)
  return path ? socket.connect(path) : socket.connect(port, host)
}

/** One connection more to the same server, whatever those of the pool wait for. To be ended by the caller. */
export function connectBeside (sql: Sql): Sql {
  return postgres({ ...sql.options, max: 1 } as unknown as Options<Record<string, PostgresType>>)
}
