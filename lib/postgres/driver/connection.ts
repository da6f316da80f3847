import type { ConnectionOptions as TlsOptions } from 'node:tls'
import postgres from 'postgres'
import { OptionInvalid } from '../../errors.ts'
import { encryptionParameters, readConnectionUrl } from './connection-url.ts'
import { isOwnConnector, openSockets } from './connector.ts'
import { acceptAnyHost, checked, encryptionFor, readEncryption } from './encryption.ts'
import { copyInstance, parsedOptions, type ConnectionOptions } from './internals.ts'

/** A postgres.js instance, with any types that its owner registered. */
export type Sql = postgres.Sql<any>

/** One for a run, and one for statements that run at the same time. */
const connectionsNeeded = 2
/** The log runs short statements that wait for no lock; a second connection in case one of them takes longer. */
const logConnections = 2

/** Throws FST_BACKUP_OPTION_INVALID for a pool that is so small that a run would wait for itself. */
function requireConnections (sql: Sql, option: string): Sql {
  if (sql.options.max < connectionsNeeded) {
    throw new OptionInvalid(`option '${option}' has max: ${sql.options.max}, but a backup uses one connection ` +
      `for as long as it runs; give it max: ${connectionsNeeded} or more`)
  }
  return sql
}

/** Seconds. Detects soon that a database is available again; the default waits up to 20 s. */
const backoff = (): number => 0.5

/** postgres.js writes notices to the console by default. */
const onnotice = (): void => {}

/** Throws FST_BACKUP_OPTION_INVALID for an instance that fails every statement of the library. */
export function acceptPool (sql: Sql): Sql {
  const { from, to } = parsedOptions(sql).transform.column
  for (const rename of [from, to]) {
    try {
      // The names of the only column and of the savepoints that statements of the library have
      if (typeof rename === 'function') for (const name of ['row_to_json', 's0']) rename(name)
    } catch {
      throw new OptionInvalid("option 'sql' has a transform.column that throws for the name row_to_json or s0; " +
        'let it accept every name')
    }
  }
  return requireConnections(sql, 'sql')
}

/**
 * Does not connect: postgres.js does, with the first query. Without `connection` the URL is that of DATABASE_URL.
 * Throws FST_BACKUP_OPTION_INVALID.
 */
export function createPool (connection: string | ConnectionOptions | undefined): Sql {
  const origin = connection === undefined ? 'DATABASE_URL' : "option 'connection'"
  const options = typeof connection === 'object' ? connection : undefined
  const text = typeof connection === 'object' ? undefined : connection ?? process.env.DATABASE_URL
  const url = text === undefined ? undefined : parseUrl(origin, () => readConnectionUrl(text))
  const settings = {
    // In PgBouncer's transaction mode the next statement may run in another server process
    prepare: false,
    fetch_types: false,
    connect_timeout: 10,
    backoff,
    idle_timeout: 60,
    onnotice,
    ...options,
    ...url?.options
  }
  const ssl = options === undefined ? readEncryption(url?.encryption ?? new Map(), origin) : sslOf(options)
  const plain = url === undefined ? postgres(settings) : parseUrl(origin, () => postgres(url.url, settings))
  const sql = encrypted(plain, ssl, options?.ssl !== undefined)
  openSockets(requireConnections(sql, 'connection'))
  return sql
}

/** Errors of the URL constructor contain the complete URL with its password, so none of their text is passed on. */
function parseUrl<T> (origin: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new OptionInvalid(`${origin} is not a valid URL; percent-encode special characters in the user and the ` +
      'password (RFC 3986, 2.1), and check the port')
  }
}

/** The option `ssl` replaces the environment completely. */
function sslOf (options: ConnectionOptions): unknown {
  const isEncryptionParameter = (name: string): boolean => encryptionParameters.some((parameter) => parameter === name)
  const unknown = Object.keys(options).find((name) => name !== 'ssl' && isEncryptionParameter(name))
  if (unknown !== undefined) {
    throw new OptionInvalid(`there is no option 'connection.${unknown}'; use 'connection.ssl', or a URL`)
  }
  const { ssl } = options
  if (ssl === undefined) return readEncryption(new Map(), "option 'connection'")
  return typeof ssl === 'object' && ssl !== null ? checked(ssl, "option 'connection.ssl'") : ssl
}

/**
 * The same pool with this encryption. postgres.js reads `ssl` once, when it creates its connections. The replaced pool
 * has opened none yet, so it needs no end().
 */
function encrypted (sql: Sql, ssl: unknown, isExplicit: boolean): Sql {
  const given = parsedOptions(sql)
  // A Unix-domain socket is not encrypted in any mode (manual, 34.19.1)
  const isUnencryptedSocket = typeof given.path === 'string' && !isExplicit
  const wanted = isUnencryptedSocket ? false : encryptionFor(ssl ?? given.ssl, given.host)
  return wanted === given.ssl ? sql : copyInstance(sql, { ssl: wanted })
}

/** How to connect to the database, as plain data for another thread. */
export interface PoolSettings {
  options: ConnectionOptions
  /** A function returns the password, such as a token that expires. The function stays in this thread. */
  asksPassword: boolean
  /**
   * The certificate of the server may name any host (sslmode verify-ca): `ssl` has a function for it, which stays, too.
   */
  acceptsAnyHost: boolean
}

/** Options that select the server and the role. A run does not need those that change rows. */
const portableOptions = [
  'host', 'port', 'path', 'database', 'user', 'pass', 'ssl', 'sslnegotiation', 'connect_timeout', 'keep_alive',
  'target_session_attrs', 'connection'
] as const

/**
 * Undefined when the options contain a function that cannot be passed to another thread: a `socket`, or one in `ssl`.
 */
export function poolSettings (sql: Sql): PoolSettings | undefined {
  const given = parsedOptions(sql)
  if (given.socket !== undefined && !isOwnConnector(given.socket)) return undefined
  const asksPassword = typeof given.pass === 'function'
  const names = portableOptions.filter((name) => name !== 'pass' || !asksPassword)
  const options = Object.fromEntries(names.map((name) => [name, given[name]]))
  const ssl = sslForAnyHost(given.ssl)
  if (ssl !== undefined) options.ssl = ssl
  try {
    return { options: structuredClone(options), asksPassword, acceptsAnyHost: ssl !== undefined }
  } catch {
    return undefined
  }
}

/** The options without acceptAnyHost(). Undefined when they do not contain it. */
function sslForAnyHost (ssl: unknown): object | undefined {
  if (typeof ssl !== 'object' || ssl === null || !('checkServerIdentity' in ssl)) return undefined
  const { checkServerIdentity, ...others } = ssl
  return checkServerIdentity === acceptAnyHost ? others : undefined
}

/** A single connection for a run. The caller must end it. */
export function connectBySettings (settings: PoolSettings, askPassword: () => Promise<string>): Sql {
  const { options, asksPassword, acceptsAnyHost } = settings
  const sql = postgres({
    ...options,
    ...asksPassword && { pass: askPassword },
    ...acceptsAnyHost && { ssl: { ...options.ssl as TlsOptions, checkServerIdentity: acceptAnyHost } },
    max: 1,
    // The connection must last as long as the run
    max_lifetime: null,
    prepare: false,
    fetch_types: false,
    backoff,
    onnotice
  })
  openSockets(sql)
  return sql
}

/**
 * Another pool for the same server and role, which works also when all connections of `sql` wait, and without its
 * transforms. The caller must end it.
 * @param options in the form in which an instance keeps them
 */
export function connectBeside (sql: Sql, max = 1, options: object = {}): Sql {
  const transform = { column: {}, value: {}, row: {} }
  const beside = copyInstance(sql, { max, backoff, fetch_types: false, transform, ...options })
  openSockets(beside)
  return beside
}

/**
 * A pool for the log. The caller must end it. A restore writes to the log while it has the tables locked: if every
 * connection of a shared pool waited for these tables, the restore would wait for them, and PostgreSQL would not detect
 * the deadlock.
 */
export const createLogPool = (sql: Sql): Sql => connectBeside(sql, logConnections)

/** Seconds. The next backup soon after finds the connection open, and its caches filled. */
const idleTimeout = 10

/**
 * A pool for small backups in the main thread, with a connection for each one as in a worker thread. The caller must
 * end it.
 */
export const createSmallRunPool = (sql: Sql): Sql =>
  connectBeside(sql, sql.options.max, { idle_timeout: idleTimeout, max_lifetime: null })
