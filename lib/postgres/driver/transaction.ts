import { randomUUID } from 'node:crypto'
import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { asReadOnly, isConnectionLoss, isTermination } from '../database-error.ts'
import { connectBeside, type Sql } from './connection.ts'
import { openCopyIn, type CopyIn } from './copy-in.ts'
import { readCopyOut, type CopyReader } from './copy-out.ts'
import { parsedOptions, type RowTransform } from './internals.ts'
import { queryRow, queryRows, runStatements, type Parameter } from './query.ts'

/** COMMIT was sent by a transaction that may have written, and the connection died before it was answered: it stands or falls as a whole. */
export class CommitUncertain extends Error {}

/** One transaction on one connection. */
export interface Transaction {
  query: <Row>(text: string, parameters?: Parameter[]) => Promise<Row[]>
  /** Of a statement that gives one row. */
  queryRow: <Row>(text: string, parameters?: Parameter[]) => Promise<Row>
  /** One or several statements whose rows are of no interest, in one round trip. */
  run: (text: string) => Promise<void>
  /** All in one round trip. */
  copyOut: (texts: string[], reader: CopyReader) => Promise<void>
  copyIn: (text: string) => Promise<CopyIn>
  /** A subtransaction (manual, SAVEPOINT): what `work` did is undone when it rejects. */
  savepoint: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
}

export type TransactionMode = 'ISOLATION LEVEL READ COMMITTED READ ONLY' | 'ISOLATION LEVEL REPEATABLE READ READ ONLY' | 'ISOLATION LEVEL READ COMMITTED READ WRITE'

interface Connection {
  lost: boolean
  /** Settles with the transaction; rejects as soon as the connection is lost. */
  transaction: Promise<unknown>
  signal: AbortSignal | undefined
  canceller: Canceller
  /** Of the pool. */
  transform: RowTransform
}

/**
 * Runs `work` between BEGIN and COMMIT, and rolls back when it rejects, with its error.
 *
 * postgres.js writes to a socket that is no more when a query follows the loss of a reserved connection, which ends the process
 * with a TypeError (seen with 3.4.9; the tests "a backend that dies between two statements" and "… in a savepoint" tell when that is
 * mended). So a lost connection gets no further query, not even the ROLLBACK; the server has rolled back by itself.
 *
 * When `signal` aborts, the running statement is cancelled on the server, and no further one is sent.
 */
export async function inTransaction<T> (sql: Sql, mode: TransactionMode, work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    let begun = false
    try {
      return await attemptTransaction(sql, mode, async (tx) => {
        begun = true
        return await work(tx)
      }, signal)
    } catch (error) {
      // postgres.js 3.4.9 tells the death of a connection twice when it met a statement: to that one, and to the first one of the connection
      // that takes its place. The test "the death of a backend is told once" tells when that can go
      if (begun || !isTermination(error) || attempts > sql.options.max) throw begun ? error : asReadOnly(error)
    }
  }
}

async function attemptTransaction<T> (sql: Sql, mode: TransactionMode, work: (tx: Transaction) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  await beforeAnySocketCloses()
  signal?.throwIfAborted()
  const canceller = createCanceller(sql)
  const connection: Connection = { lost: false, transaction: Promise.resolve(), signal, canceller, transform: parsedOptions(sql).transform.row }
  let working: Promise<T> | undefined
  const over = new AbortController()
  const aborted = new Promise<never>((_resolve, reject) => {
    signal?.addEventListener('abort', () => { working === undefined ? reject(signal.reason) : canceller.cancel() }, { signal: over.signal })
  })

  let committing = false
  const begun = sql.begin(mode, async (raw) => {
    // By now nobody may wait for it any more
    signal?.throwIfAborted()
    working = perform(raw)
    const ended = await settle(working)
    await Promise.race([canceller.close(), begun.catch(() => {})])
    await refuseWhenLost(connection)
    if (!ended.ok) throw ended.error
    committing = true
    return ended.value
  })
  connection.transaction = begun
  begun.catch(() => { connection.lost = true })
  // A pool may be busy for long. What BEGIN comes to then is of no interest
  const ended = await settle(Promise.race([begun, aborted]))
  // A loss may be told while `work` is busy elsewhere: nothing of it may go on behind the caller's back
  const worked = working === undefined ? undefined : await settle(working)
  over.abort()
  if (ended.ok) return ended.value as T
  if (worked?.ok === false) throw worked.error
  if (committing && mode.endsWith('READ WRITE') && isConnectionLoss(ended.error)) throw new CommitUncertain('the connection was lost during COMMIT', { cause: ended.error })
  throw ended.error

  async function perform (raw: TransactionSql): Promise<T> {
    const tx = createTransaction(raw, connection)
    if (signal !== undefined) await tx.run(`SET LOCAL application_name = '${canceller.name}'`)
    return await work(tx)
  }
}

/**
 * Sockets close at the very end of a turn of the event loop, and what postgres.js 3.4.9 is given leaves with setImmediate(): from a timer,
 * that is before any of them closes. A statement that comes between the two is never sent, and its connection stays unusable: all that follows is
 * queued behind it, the next login too, until that times out. The test "a database that goes away just as it is asked" tells when this can go.
 */
const beforeAnySocketCloses = async (): Promise<void> => { await delay(0) }

/**
 * Never resolves when the connection is gone: postgres.js would go on with a statement of its own. After the end of this turn a loss
 * is known.
 */
async function refuseWhenLost (connection: Connection): Promise<void> {
  await endOfTurn()
  await beforeAnySocketCloses()
  if (connection.lost) await new Promise<never>(() => {})
}

type Settled<T> = { ok: true, value: T } | { ok: false, error: unknown }

const settle = async <T>(promise: Promise<T>): Promise<Settled<T>> =>
  await promise.then((value) => ({ ok: true, value }), (error: unknown) => ({ ok: false, error }))

interface Canceller {
  /** What the transaction is to be called, as application_name, to be found by. */
  name: string
  /** Cancels its running statement, by another connection: a COPY does not end when its stream is dropped. */
  cancel: () => void
  /** No further request is made, and those that are on their way have arrived: none can hit ROLLBACK, or who gets the connection next. */
  close: () => Promise<void>
}

/**
 * The transaction is found by its name, since asking for its process id would be a SELECT: the first one of a REPEATABLE READ transaction
 * fixes its snapshot, so it is the caller's to choose.
 */
function createCanceller (sql: Sql): Canceller {
  const name = `fastify-backup ${randomUUID()}`
  let requests: Promise<unknown> = Promise.resolve()
  let closed = false
  return {
    name,
    cancel () {
      if (!closed) requests = Promise.allSettled([requests, cancelNamed(sql, name)])
    },
    async close () {
      closed = true
      await requests
    }
  }
}

/** By a connection of its own: those of the pool may all wait for locks that the transaction holds. */
async function cancelNamed (sql: Sql, name: string): Promise<void> {
  const beside = connectBeside(sql)
  try {
    await beside.unsafe(`SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity
      WHERE application_name = '${name}' AND backend_type = 'client backend'`)
  } finally {
    await beside.end({ timeout: 1 })
  }
}

function createTransaction (raw: TransactionSql, connection: Connection): Transaction {
  const { signal, transform } = connection

  /** Before anybody can send the next query. */
  function noteLoss (error: unknown): void {
    if (isConnectionLoss(error)) connection.lost = true
  }

  async function watch<T> (send: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    if (connection.lost) throw connectionLost()
    try {
      return await send()
    } catch (error) {
      noteLoss(error)
      signal?.throwIfAborted()
      throw error
    }
  }

  /** Where the request to cancel did not arrive, the next statement is not begun. */
  const stoppable = (reader: CopyReader): CopyReader => ({
    ...reader,
    begin (index) {
      signal?.throwIfAborted()
      reader.begin(index)
    }
  })

  return {
    query: async (text, parameters) => await watch(async () => await queryRows(raw, transform, text, parameters)),
    queryRow: async (text, parameters) => await watch(async () => await queryRow(raw, transform, text, parameters)),
    run: async (text) => { await watch(async () => { await runStatements(raw, transform, text) }) },
    async copyOut (texts, reader) {
      const refusal = await watch(async () => {
        const { refusal, failure } = await readCopyOut(raw, texts, stoppable(reader), connection.canceller.cancel)
        if (failure !== undefined) noteLoss(failure.error)
        if (failure !== undefined && refusal === undefined) throw failure.error
        return refusal
      })
      if (refusal !== undefined) throw refusal.error
    },
    copyIn: async (text) => {
      const copy = await watch(async () => await openCopyIn(raw, text))
      return {
        write: async (chunk) => { await watch(async () => { await copy.write(chunk) }) },
        end: async () => await watch(async () => await copy.end()),
        abort: async () => { if (!connection.lost) noteLoss(await copy.abort()) }
      }
    },
    savepoint: async (work) => await watch(async () => {
      const sub = raw.savepoint(async (inner) => {
        const ended = await settle(work(createTransaction(inner, connection)))
        await refuseWhenLost(connection)
        if (!ended.ok) throw ended.error
        return ended.value
      })
      return await Promise.race([sub, connection.transaction]) as never
    })
  }
}

const connectionLost = (): Error => Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' })
