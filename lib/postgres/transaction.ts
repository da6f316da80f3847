import { setImmediate as nextTick } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { isConnectionLoss } from './database-error.ts'
import type { Sql } from './connection.ts'
import { openCopyIn, type CopyIn } from './copy-in.ts'
import { readCopyOut, type OnRow } from './copy-out.ts'
import { queryRows, type Parameter } from './query.ts'

/** COMMIT was sent, and the connection died before it was answered: the transaction stands or falls as a whole. */
export class CommitUncertain extends Error {}

/** One transaction on one connection. */
export interface Transaction {
  query: <Row>(text: string, parameters?: Parameter[]) => Promise<Row[]>
  /** One or several statements whose rows are of no interest, in one round trip. */
  run: (text: string) => Promise<void>
  copyOut: (text: string, onRow: OnRow) => Promise<void>
  copyIn: (text: string) => Promise<CopyIn>
  /** A subtransaction (manual, SAVEPOINT): what `work` did is undone when it rejects. */
  savepoint: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
}

export type TransactionMode = 'ISOLATION LEVEL READ COMMITTED READ ONLY' | 'ISOLATION LEVEL REPEATABLE READ READ ONLY' | 'ISOLATION LEVEL READ COMMITTED READ WRITE'

interface Connection {
  lost: boolean
  /** The server process, known from the first query on. */
  pid: string | undefined
  signal: AbortSignal | undefined
}

/**
 * Runs `work` between BEGIN and COMMIT, and rolls back when it rejects, with its error.
 *
 * postgres.js writes to a socket that is no more when a query follows the loss of a reserved connection, which ends the process
 * with a TypeError (seen with 3.4.9; the test "a backend that dies between two statements" tells when that is mended). So a lost
 * connection gets no further query, not even the ROLLBACK; the server has rolled back by itself.
 *
 * When `signal` aborts, the running statement is cancelled on the server, and no further one is sent.
 */
export async function inTransaction<T> (sql: Sql, mode: TransactionMode, work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted()
  const connection: Connection = { lost: false, pid: undefined, signal }
  // A COPY does not end when its stream is dropped, and postgres.js cancels only queries that have not answered yet
  const cancel = async (): Promise<void> => {
    if (connection.pid !== undefined) await sql.unsafe('SELECT pg_catalog.pg_cancel_backend($1::text::int)', [connection.pid]).catch(() => {})
  }
  signal?.addEventListener('abort', cancel)

  let working: Promise<T> | undefined
  let committing = false
  const begun = sql.begin(mode, async (raw) => {
    working = work(createTransaction(raw, connection, cancel))
    const ended = await settle(working)
    await nextTick()
    if (connection.lost) await new Promise<never>(() => {})
    if (!ended.ok) throw ended.error
    committing = true
    return ended.value
  })
  begun.catch(() => { connection.lost = true })
  try {
    return await begun as T
  } catch (error) {
    // A loss may be told while `work` is busy elsewhere: nothing of it may go on behind the caller's back
    await working
    if (committing) throw new CommitUncertain('the connection was lost during COMMIT', { cause: error })
    throw error
  } finally {
    connection.pid = undefined
    signal?.removeEventListener('abort', cancel)
  }
}

type Settled<T> = { ok: true, value: T } | { ok: false, error: unknown }

const settle = async <T>(promise: Promise<T>): Promise<Settled<T>> =>
  await promise.then((value) => ({ ok: true, value }), (error: unknown) => ({ ok: false, error }))

function createTransaction (raw: TransactionSql, connection: Connection, cancel: () => Promise<void>): Transaction {
  /** Notes the loss before anybody can send the next query. */
  async function watch<T> (send: () => Promise<T>): Promise<T> {
    connection.signal?.throwIfAborted()
    if (connection.lost) throw connectionLost()
    try {
      return await send()
    } catch (error) {
      if (isConnectionLoss(error)) connection.lost = true
      connection.signal?.throwIfAborted()
      throw error
    }
  }

  return {
    async query (text, parameters) {
      const rows = await watch(async () => await queryRows<never>(raw, text, parameters))
      if (connection.signal !== undefined && connection.pid === undefined) {
        // Only now: the first SELECT of a REPEATABLE READ transaction fixes its snapshot, so it is the caller's to choose
        const [backend] = await watch(async () => await queryRows<{ pid: string }>(raw, 'SELECT pg_catalog.pg_backend_pid()::text AS pid'))
        connection.pid = backend?.pid
      }
      return rows
    },
    run: async (text) => { await watch(async () => await raw.unsafe(text)) },
    copyOut: async (text, onRow) => { await watch(async () => { await readCopyOut(raw, text, onRow, cancel) }) },
    copyIn: async (text) => {
      const copy = await watch(async () => await openCopyIn(raw, text))
      return {
        write: async (chunk) => { await watch(async () => { await copy.write(chunk) }) },
        end: async () => await watch(async () => await copy.end()),
        abort: async () => { await copy.abort() }
      }
    },
    async savepoint (work) {
      return await watch(async () => await raw.savepoint(async (inner) => await work(createTransaction(inner, connection, cancel)))) as never
    }
  }
}

const connectionLost = (): Error => Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' })
