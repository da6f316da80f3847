import { Socket } from 'node:net'
import { CopySocket } from './copy-socket.ts'
import { type ConnectSocket, parsedOptions, setAddress, setSocket } from './internals.ts'
import type { Sql } from './connection.ts'

/** What is allowed beside the backoff of a pool, for each of its connections. */
const attemptsPerSecond = 4

const ownConnectors = new WeakSet<object>()

/**
 * Lets the library open the sockets of a pool, for two reasons:
 *
 * - postgres.js does not disable Nagle's algorithm, so the last message of a COPY waits until the server has
 *   acknowledged the one before it: 40 ms for each table, while all of them are locked.
 * - After a connection was lost during a statement, and while the server refuses new ones (it is starting, or has too
 *   many), postgres.js 3.4.9 connects again and again without a pause, and the next statement waits until the server
 *   accepts connections (see porsager/postgres#1193). So after too many attempts the next one fails, and with it the
 *   statement. The test "calls fail soon while the server refuses connections" shows whether this is still needed.
 *
 * Only for a server with one address: postgres.js tries several addresses in turn by itself.
 */
export function openSockets (sql: Sql): void {
  const { host, socket } = parsedOptions(sql)
  const isOurs = socket === undefined || isOwnConnector(socket)
  if (host.length === 1 && isOurs) setSocket(sql, createConnector(attemptsPerSecond * sql.options.max))
}

/** Whether the option `socket` of an instance is that of openSockets(), and not that of an application. */
export const isOwnConnector = (socket: unknown): boolean => typeof socket === 'function' && ownConnectors.has(socket)

function createConnector (limit: number): ConnectSocket {
  let attempts: number[] = []
  const connector: ConnectSocket = ({ ssl, sslnegotiation, host: [host = ''], port: [port = 0], path }) => {
    const now = performance.now()
    attempts = attempts.filter((time) => time > now - 1000)
    // With direct TLS the first message is not that of postgres.js
    if (attempts.length >= limit && sslnegotiation !== 'direct') return new FailedSocket()
    attempts.push(now)
    // A CopySocket cannot read what TLS encrypts
    const socket = ssl ? new Socket() : new CopySocket()
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
