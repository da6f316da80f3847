import { Socket } from 'node:net'
import { CopySocket } from './copy-socket.ts'
import { type ConnectSocket, parsedOptions, setAddress, setSocket } from './internals.ts'
import type { Sql } from './connection.ts'

/** The attempts of a pool to connect, since the last one whose outcome is known. */
interface Attempts { count: number }

const attemptsOf = new WeakMap<Sql, Attempts>()
const ownConnectors = new WeakSet<object>()

/**
 * Lets the library open the sockets of a pool, for two reasons:
 *
 * - postgres.js does not disable Nagle's algorithm, so the last message of a COPY waits until the server has
 *   acknowledged the one before it: 40 ms for each table, while all of them are locked.
 * - After a connection was lost during a statement, and while the server refuses new ones (it is starting, or has too
 *   many), postgres.js 3.4.9 connects again and again without a pause, and the next statement waits until the server
 *   accepts connections (see porsager/postgres#1193). So after as many attempts as the pool has connections, the next
 *   one fails, and with it the statement. The tests "… fails while the server refuses connections" show whether this
 *   is still needed.
 *
 * Only for a server with one address: postgres.js tries several addresses in turn by itself.
 */
export function openSockets (sql: Sql): void {
  const { host, socket } = parsedOptions(sql)
  if (host.length > 1 || (socket !== undefined && !isOwnConnector(socket))) return
  const attempts = { count: 0 }
  attemptsOf.set(sql, attempts)
  setSocket(sql, createConnector(attempts, sql.options.max))
}

/** To be called when a connection of the pool is used, and when the server has refused one for a lasting reason. */
export function noteAnswer (sql: Sql): void {
  const attempts = attemptsOf.get(sql)
  if (attempts !== undefined) attempts.count = 0
}

/** Whether the option `socket` of an instance is that of openSockets(), and not that of an application. */
export const isOwnConnector = (socket: unknown): boolean => typeof socket === 'function' && ownConnectors.has(socket)

function createConnector (attempts: Attempts, limit: number): ConnectSocket {
  const connector: ConnectSocket = ({ ssl, sslnegotiation, host: [host = ''], port: [port = 0], path }) => {
    // With direct TLS the first message is not that of postgres.js
    if (++attempts.count > limit && sslnegotiation !== 'direct') {
      attempts.count = 0
      return new FailedSocket()
    }
    // A CopySocket cannot read what TLS encrypts
    const socket = ssl ? new Socket() : new CopySocket()
    // postgres.js rejects the statement
    socket.once('error', () => { attempts.count = 0 })
    setAddress(socket, host, port)
    socket.setNoDelay(true)
    // Returned before it is connected: writes are queued, and postgres.js handles an error as usual
    return path ? socket.connect(path) : socket.connect(port, host)
  }
  ownConnectors.add(connector)
  return connector
}

/**
 * Fails after the first message. postgres.js 3.4.9 never sends anything on the connection again when a socket closes
 * before the message that it has prepared is written.
 */
class FailedSocket extends Socket {
  override write (): boolean {
    const error = Object.assign(new Error('the server closes new connections'), { code: 'CONNECTION_CLOSED' })
    setImmediate(() => { this.destroy(error) })
    return true
  }
}
