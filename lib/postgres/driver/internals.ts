/**
 * Everything that the library uses of postgres.js and that its documentation does not describe, as of version 3.4.9.
 * Another version may change any of it without notice. The rest of this folder uses only the documented API. For each
 * function test/postgres/driver/internals.test.ts has a test that fails when the installed version works differently;
 * the tests named here show what the function is for, and whether it is still needed.
 */
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import postgres, { type Options, type PostgresType } from 'postgres'
import type { Sql } from './connection.ts'

/** Options as an owner passes them. */
export type ConnectionOptions = Options<Record<string, PostgresType>>

/** Opens the connection to the server. A `socket` with a single address; typed as far as the library uses it. */
export type ConnectSocket =
  (options: Pick<ParsedOptions, 'ssl' | 'sslnegotiation' | 'host' | 'port' | 'path'>) => Socket

/** What an instance does with the rows of its queries. */
export interface RowTransform { from?: unknown }

/**
 * Options as an instance keeps them, parsed. The published types leave out `socket` and `path: false`, and declare
 * `pass` as null.
 */
export interface ParsedOptions {
  host: string[]
  port: number[]
  path: string | false | undefined
  database: string
  user: string
  /** A string, or a function that returns one or a promise of one. */
  pass: unknown
  ssl: unknown
  sslnegotiation: unknown
  connect_timeout: unknown
  keep_alive: unknown
  target_session_attrs: unknown
  connection: unknown
  socket?: unknown
  transform: { column: { from?: unknown, to?: unknown }, row: RowTransform }
}

/**
 * The options of an instance that an application passed in are known only from here. Tests: "a transform.column that
 * throws …" (own-instance), "connects by a socket with a path" (connection), and those of the worker, which connects by
 * these options.
 */
export const parsedOptions = (sql: Sql): Readonly<ParsedOptions> => sql.options as unknown as ParsedOptions

/**
 * Another instance with the options of this one. postgres.js does not parse options that contain `shared`, that is,
 * options that an instance keeps; so `changes` must be in parsed form. The documented API has no way to repeat the
 * options of an instance that an application passed in. Test: "… every other connection of the pool waits for what the
 * transaction holds" (transaction).
 */
export const copyInstance = (sql: Sql, changes: object): Sql =>
  postgres({ ...sql.options, ...changes } as unknown as ConnectionOptions)

/**
 * Replaces `socket` in an instance that has not connected yet: postgres.js reads this option with each new connection.
 * As an option it would have to be chosen before postgres.js has parsed the addresses. Test: "Nagle's algorithm is off"
 * (copy-in).
 */
export function setSocket (sql: Sql, socket: ConnectSocket): void {
  const options = sql.options as unknown as ParsedOptions
  options.socket = socket
}

/**
 * Sets what postgres.js sets on sockets that it opens itself: TLS compares the certificate with `host`. Tests:
 * "a connection is as secure as its mode requires …" (encryption).
 */
export function setAddress (socket: Socket, host: string, port: number): void {
  Object.assign(socket, { host, port })
}

/**
 * Passes each row of `query` to `onRow` as it was before `transform.row.from` of the instance.
 *
 * postgres.js passes even a raw row to `transform.row.from`, which may replace it or throw. It reads `forEachFn` of the
 * query immediately before, and calls it immediately after, all in one expression. So there is no such transform during
 * that expression, and no other query is affected. Tests: "transforms and types of the application's instance"
 * (own-instance).
 */
export function takeUntransformedRows (
  query: Promise<unknown>, transform: RowTransform, onRow: (row: Buffer[]) => void
): void {
  const { from } = transform
  const take = (row: Buffer[]): void => {
    transform.from = from
    onRow(row)
  }
  Object.defineProperty(query, 'forEachFn', {
    get () {
      transform.from = undefined
      return take
    }
  })
}

/** postgres.js calls `resolve` with each stream of a COPY and once more with the result, or `reject`. */
export interface Settlers { resolve: (value: unknown) => void, reject: (error: unknown) => void }

/**
 * Replaces the functions that settle the promise that a query is.
 *
 * A promise settles once: for a COPY, with the stream. postgres.js loses an error that follows it
 * (porsager/postgres#1173). An error that arrives together with the answer that opens the stream even ends the process,
 * because the stream emits it before code that awaits the stream can add a listener. Tests: "a duplicate key …"
 * (copy-in), "an error that arrives with the first row …" (copy-out).
 */
export function replaceSettlers (query: Promise<unknown>, settlers: Settlers): void {
  Object.assign(query, settlers)
}

/**
 * Passes each row that postgres.js pushes into the stream of `COPY … TO STDOUT` to `take`, without the stream's buffer
 * and events, which cost more than the rest. When `take` returns false, postgres.js pauses its socket. Tests: those of
 * copy-out.
 */
export function takePushedRows (stream: Readable, take: (bytes: Buffer, start: number, end: number) => boolean): void {
  stream.push = (row: Buffer | null) => row === null || take(row, 0, row.length)
}

/**
 * Makes postgres.js resume its socket, which is all that read() of this stream does. Throws when the socket is closed.
 */
export function resumeSocket (stream: Readable): void {
  stream._read(0)
}

/**
 * Prevents a CopyFail message behind the CopyDone of this stream.
 *
 * A Writable destroys itself after it has finished, and postgres.js then sends CopyFail. The server ignores that
 * message without an answer, and the next statement waits 40 ms for one. Test: "no CopyFail follows the CopyDone …"
 * (copy-in).
 */
export function endWithoutCopyFail (stream: Writable): void {
  stream._destroy = (error, done) => { done(error) }
}
