import { Socket } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import postgres from 'postgres'
import { OptionInvalid } from '../../errors.ts'
import { encryptionParameters, readConnectionUrl } from './connection-url.ts'
import { acceptAnyHost, checked, encryptionFor, readEncryption } from './encryption.ts'
import { CopySocket } from './copy-socket.ts'
import { copyInstance, parsedOptions, setAddress, setSocket, type ConnectionOptions, type ConnectSocket } from './internals.ts'

/** A postgres.js instance, whatever types its owner registered. */
export type Sql = postgres.Sql<any>

/** For a run, and for whoever looks at the tables meanwhile. */
const connectionsNeeded = 2
/** For short statements that wait for nobody; a second one in case that is not quite so. */
const logConnections = 2

/** Throws FST_BACKUP_OPTION_INVALID for a pool so small that a run would wait for itself. */
function requireRoom (sql: Sql, option: string): Sql {
  if (sql.options.max < connectionsNeeded) {
    throw new OptionInvalid(`option '${option}' has max: ${sql.options.max}, but a backup holds one connection for as long as it runs; give it max: ${connectionsNeeded} or more`)
  }
  return sql
}

/** Otherwise they go to the console. */
const onnotice = (): void => {}

/** Throws FST_BACKUP_OPTION_INVALID for an instance that no statement of ours would get through. */
export function acceptPool (sql: Sql): Sql {
  const { from, to } = parsedOptions(sql).transform.column
  for (const rename of [from, to]) {
    try {
      // Names of the one column and the savepoints that there are
      if (typeof rename === 'function') for (const name of ['row_to_json', 's0']) rename(name)
    } catch {
      throw new OptionInvalid("option 'sql' has a transform.column that throws for the name row_to_json or s0; let it take every name")
    }
  }
  return requireRoom(sql, 'sql')
}

/** Opens nothing yet: postgres.js connects with the first query. Throws FST_BACKUP_OPTION_INVALID. */
export function createPool (connection: string | ConnectionOptions | undefined): Sql {
  const place = connection === undefined ? 'DATABASE_URL' : "option 'connection'"
  const text = typeof connection === 'string' ? connection : connection === undefined ? process.env.DATABASE_URL : undefined
  const url = text === undefined ? undefined : parseUrl(place, () => readConnectionUrl(text))
  const settings = {
    // In PgBouncer's transaction mode the next statement may meet another server process
    prepare: false,
    fetch_types: false,
    connect_timeout: 10,
    // A database that came back is noticed soon; the default waits up to 20 s
    backoff: () => 0.5,
    idle_timeout: 60,
    onnotice,
    ...typeof connection === 'object' && connection,
    ...url?.options
  }
  const ssl = typeof connection === 'object' ? optionOrEnvironment(connection) : readEncryption(url?.encryption ?? new Map(), place)
  const sql = encrypted(url === undefined ? postgres(settings) : parseUrl(place, () => postgres(url.url, settings)), ssl, typeof connection === 'object' && connection.ssl !== undefined)
  sendAtOnce(requireRoom(sql, 'connection'))
  return sql
}

/** What the URL constructor throws holds the whole URL, and the password with it: so nothing of it is told. */
function parseUrl<T> (place: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new OptionInvalid(`${place} is no URL that can be read; percent-encode what is special in the user and the password (RFC 3986, 2.1), and see that the port is one`)
  }
}

/** An `ssl` that is given says all. */
function optionOrEnvironment (connection: ConnectionOptions): unknown {
  const unknown = Object.keys(connection).find((name) => name !== 'ssl' && encryptionParameters.some((parameter) => parameter === name))
  if (unknown !== undefined) throw new OptionInvalid(`there is no option 'connection.${unknown}'; give 'connection.ssl', or a URL`)
  if (connection.ssl === undefined) return readEncryption(new Map(), "option 'connection'")
  return typeof connection.ssl === 'object' && connection.ssl !== null ? checked(connection.ssl, "option 'connection.ssl'") : connection.ssl
}

/** postgres.js reads its options once, when it makes its connections; none of them is open yet. */
function encrypted (sql: Sql, ssl: unknown, isExplicit: boolean): Sql {
  const given = parsedOptions(sql)
  // A socket of the file system is not encrypted, whatever the mode (manual, 34.19.1)
  const wanted = typeof given.path === 'string' && !isExplicit ? false : encryptionFor(ssl ?? given.ssl, given.host)
  return wanted === given.ssl ? sql : copyInstance(sql, { ssl: wanted })
}

/**
 * postgres.js leaves Nagle's algorithm on, and then the last message of a COPY waits until the one before it is acknowledged: 40 ms a
 * table, with all of them locked. Only for a server that has one address: trying several in turn is up to postgres.js.
 */
function sendAtOnce (sql: Sql): void {
  const { host, socket } = parsedOptions(sql)
  if (host.length === 1 && socket === undefined) setSocket(sql, connectSocket)
}

/** Still connecting when it is handed out: what is written waits, and an error reaches postgres.js in the ordinary way. */
const connectSocket: ConnectSocket = ({ ssl, host: [host = ''], port: [port = 0], path }) => {
  // What comes through TLS is not for this socket to read
  const socket = ssl ? new Socket() : new CopySocket()
  // By its name TLS checks the certificate
  setAddress(socket, host, port)
  socket.setNoDelay(true)
  return path ? socket.connect(path) : socket.connect(port, host)
}

/** How to reach the database, as plain data. */
export interface PoolSettings {
  options: ConnectionOptions
  /** The password comes from a function, which stays behind: a token that expires, say. */
  asksPassword: boolean
  /** The certificate of the server may name any host (sslmode verify-ca): a function says so, which stays behind, too. */
  acceptsAnyHost: boolean
}

/** All that decides which server is reached, and as whom. What postgres.js makes of rows is of no interest to a run. */
const portableOptions = ['host', 'port', 'path', 'database', 'user', 'pass', 'ssl', 'sslnegotiation', 'connect_timeout', 'keep_alive', 'target_session_attrs', 'connection'] as const

/** Undefined when the connection takes a function that can not be handed to another thread: a `socket`, or one in `ssl`. */
export function poolSettings (sql: Sql): PoolSettings | undefined {
  const given = parsedOptions(sql)
  if (given.socket !== undefined && given.socket !== connectSocket) return undefined
  const asksPassword = typeof given.pass === 'function'
  const options = Object.fromEntries(portableOptions.filter((name) => name !== 'pass' || !asksPassword).map((name) => [name, given[name]]))
  const acceptsAnyHost = typeof given.ssl === 'object' && given.ssl !== null && 'checkServerIdentity' in given.ssl && given.ssl.checkServerIdentity === acceptAnyHost
  if (acceptsAnyHost) {
    const { checkServerIdentity, ...ssl } = given.ssl as TlsOptions
    options.ssl = ssl
  }
  try {
    return { options: structuredClone(options), asksPassword, acceptsAnyHost }
  } catch {
    return undefined
  }
}

/** One connection of its own, for a run. To be ended by the caller. */
export function connectBySettings ({ options, asksPassword, acceptsAnyHost }: PoolSettings, askPassword: () => Promise<string>): Sql {
  const sql = postgres({
    ...options,
    ...asksPassword && { pass: askPassword },
    ...acceptsAnyHost && { ssl: { ...options.ssl as TlsOptions, checkServerIdentity: acceptAnyHost } },
    max: 1,
    // As long as the run takes
    max_lifetime: null,
    prepare: false,
    fetch_types: false,
    backoff: () => 0.5,
    onnotice
  })
  sendAtOnce(sql)
  return sql
}

/** One connection more to the same server, whatever those of the pool wait for, and without its transforms. To be ended by the caller. */
export function connectBeside (sql: Sql, max = 1): Sql {
  return copyInstance(sql, { max, fetch_types: false, transform: { column: {}, value: {}, row: {} } })
}

/**
 * A pool for the log, to be ended by the caller. A restore writes to the log while it has the tables locked: if every connection of the one pool
 * waited for these tables, it would wait for them, and PostgreSQL would see no deadlock.
 */
export const createLogPool = (sql: Sql): Sql => connectBeside(sql, logConnections)
