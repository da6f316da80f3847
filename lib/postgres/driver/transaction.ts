import type { TransactionSql } from 'postgres'
import { asReadOnly, isConnectionLoss, isTermination, isUnavailable } from '../database-error.ts'
import { createCanceller } from './canceller.ts'
import type { Sql } from './connection.ts'
import { noteAnswer } from './connector.ts'
import type { CopyIn } from './copy-in.ts'
import type { CopyReader } from './copy-out.ts'
import { parsedOptions } from './internals.ts'
import { type Parameter, queryRows, runStatements } from './query.ts'
import { settle } from './settle.ts'
import {
  beforeAnySocketCloses, createTransaction, waitForeverWhenLost, type Connection
} from './transaction-statements.ts'

/**
 * A transaction that may have written sent COMMIT, and the connection was lost before the answer: all of its changes
 * are stored, or none.
 */
export class CommitUncertain extends Error {}

/** One transaction on one connection. */
export interface Transaction {
  /** `before`: statements without rows that run before it in the same round trip, each with its semicolon. */
  query: <Row>(text: string, parameters?: Parameter[], before?: string) => Promise<Row[]>
  /** For a statement that returns one row. */
  queryRow: <Row>(text: string, parameters?: Parameter[]) => Promise<Row>
  /** False behind a connection pooler: the process that runs the statements is another one than the login named. */
  isDirect: () => Promise<boolean>
  /** Runs one or several statements in one round trip and ignores their rows. */
  run: (text: string) => Promise<void>
  /** Runs all statements in one round trip. */
  copyOut: (texts: string[], reader: CopyReader) => Promise<void>
  copyIn: (text: string) => Promise<CopyIn>
  /** A subtransaction (manual, SAVEPOINT): when `work` rejects, its changes are undone. */
  savepoint: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
}

export type TransactionMode =
  'ISOLATION LEVEL READ COMMITTED READ ONLY' |
  'ISOLATION LEVEL REPEATABLE READ READ ONLY' |
  'ISOLATION LEVEL READ COMMITTED READ WRITE'

/**
 * Runs statements that need no answer in between as one transaction, in one round trip: then nothing that this process
 * does can make others wait for the locks (manual, 55.2.2.1).
 */
export async function runInOneTrip (sql: Sql, text: string): Promise<void> {
  await beforeAnySocketCloses()
  await runStatements(sql, parsedOptions(sql).transform.row, `SET TRANSACTION READ WRITE; ${text}`)
}

/**
 * Reads rows in a READ COMMITTED transaction of one statement, in one round trip: as part of inTransaction() it would
 * take four. A standby refuses it like any other READ WRITE transaction.
 * @param settings statements without rows that run before it, each with its semicolon
 */
export async function readInOneTrip<Row> (
  sql: Sql, settings: string, text: string, parameters: Parameter[] = []
): Promise<Row[]> {
  const before = `SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; ${settings}`
  return await unlessReportedTwice(sql, async () => {
    await beforeAnySocketCloses()
    const rows = await queryRows<Row>(sql, parsedOptions(sql).transform.row, text, parameters, before)
    noteAnswer(sql)
    return rows
  }, () => false)
}

type Work<T> = (tx: Transaction) => Promise<T>

/**
 * Runs `work` between BEGIN and COMMIT. When `work` rejects, rolls back and rejects with its error.
 *
 * When a query follows the loss of a reserved connection, postgres.js 3.4.9 writes to a socket that is null, which ends
 * the process with a TypeError; the tests "a backend that ends between two statements" and "… in a savepoint" show
 * whether that is still so. So a lost connection gets no further query, not even ROLLBACK; the server has rolled back
 * by itself.
 *
 * When `signal` aborts, the running statement is cancelled on the server, and no further one is sent.
 */
export async function inTransaction<T> (
  sql: Sql, mode: TransactionMode, work: Work<T>, signal?: AbortSignal
): Promise<T> {
  let begun = false
  return await unlessReportedTwice(sql, async () => await attemptTransaction(sql, mode, async (tx) => {
    begun = true
    return await work(tx)
  }, signal), () => begun)
}

/**
 * Attempts again when the error is that of an earlier statement. When a backend ends during a statement, postgres.js
 * 3.4.9 reports that twice: for the statement, and for the first one of the connection that replaces it. The test "the
 * end of a backend is reported once" shows whether it still does.
 * @param hasBegun whether the attempt has done more than a statement that may run twice
 */
async function unlessReportedTwice<T> (
  sql: Sql, attempt: () => Promise<T>, hasBegun: () => boolean, attempts = 1
): Promise<T> {
  const ended = await settle(attempt())
  if (ended.ok) return ended.value
  const { error } = ended
  if (!isUnavailable(error)) noteAnswer(sql)
  const isRepeated = !hasBegun() && isTermination(error) && attempts <= sql.options.max
  if (!isRepeated) throw hasBegun() ? error : asReadOnly(error)
  return await unlessReportedTwice(sql, attempt, hasBegun, attempts + 1)
}

async function attemptTransaction<T> (
  sql: Sql, mode: TransactionMode, work: Work<T>, signal: AbortSignal | undefined
): Promise<T> {
  await beforeAnySocketCloses()
  signal?.throwIfAborted()
  const canceller = createCanceller(sql)
  const { transform } = parsedOptions(sql)
  const connection: Connection = {
    lost: false, transaction: Promise.resolve(), signal, canceller, transform: transform.row
  }
  let working: Promise<T> | undefined
  let committing = false
  const begun = sql.begin(mode, async (raw) => {
    noteAnswer(sql)
    // The caller may have stopped waiting
    signal?.throwIfAborted()
    working = perform(raw, connection, work)
    const ended = await settle(working)
    await Promise.race([canceller.close(), begun.catch(() => {})])
    await waitForeverWhenLost(connection)
    if (!ended.ok) throw ended.error
    committing = true
    return ended.value
  })
  connection.transaction = begun
  begun.catch(() => { connection.lost = true })

  const over = new AbortController()
  const ended = await settle(orAborted(begun, signal, over.signal, () => {
    if (working === undefined) return true
    canceller.cancel()
    return false
  }))
  // A loss may be reported while `work` does something else: it must not continue after this has returned. Until then
  // an abort still cancels on the server, where the backend may not have noticed the loss
  const worked = working === undefined ? undefined : await settle(working)
  over.abort()
  if (ended.ok) return ended.value as T
  if (worked?.ok === false) throw worked.error
  if (committing && mode.endsWith('READ WRITE') && isConnectionLoss(ended.error)) {
    throw new CommitUncertain('the connection was lost during COMMIT', { cause: ended.error })
  }
  throw ended.error
}

async function perform<T> (raw: TransactionSql, connection: Connection, work: Work<T>): Promise<T> {
  const tx = createTransaction(raw, connection)
  const { signal, canceller } = connection
  if (signal !== undefined) await tx.run(`SET LOCAL application_name = '${canceller.name}'`)
  return await work(tx)
}

/**
 * Settles as `begun` does, or rejects when `signal` aborts and `rejects` returns true: waiting for a connection of a
 * busy pool may take long. Listens to `signal` until `over` aborts.
 */
async function orAborted<T> (
  begun: Promise<T>, signal: AbortSignal | undefined, over: AbortSignal, rejects: () => boolean
): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal?.addEventListener('abort', () => { if (rejects()) reject(signal.reason) }, { signal: over })
  })
  return await Promise.race([begun, aborted])
}
