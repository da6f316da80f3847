import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { isConnectionLoss } from '../database-error.ts'
import type { Canceller } from './canceller.ts'
import { openCopyIn, type CopyIn } from './copy-in.ts'
import { readCopyOut, type CopyReader } from './copy-out.ts'
import type { RowTransform } from './internals.ts'
import { isDirect, queryRow, queryRows, runStatements } from './query.ts'
import { settle } from './settle.ts'
import type { Transaction } from './transaction.ts'

/** The connection of one transaction. */
export interface Connection {
  lost: boolean
  /** Settles with the transaction; rejects as soon as the connection is lost. */
  transaction: Promise<unknown>
  signal: AbortSignal | undefined
  canceller: Canceller
  /** Of the pool. */
  transform: RowTransform
}

/**
 * The statements of a transaction, or of a savepoint in it. None is sent after an abort or the loss of the connection.
 */
export function createTransaction (raw: TransactionSql, connection: Connection): Transaction {
  const { transform } = connection
  const send = async <T>(statement: () => Promise<T>): Promise<T> => await unlessLost(connection, statement)
  return {
    query: async (text, parameters, before) =>
      await send(async () => await queryRows(raw, transform, text, parameters, before)),
    queryRow: async (text, parameters) => await send(async () => await queryRow(raw, transform, text, parameters)),
    isDirect: async () => await send(async () => await isDirect(raw, transform)),
    run: async (text) => { await send(async () => { await runStatements(raw, transform, text) }) },
    async copyOut (texts, reader) {
      const readerError = await send(async () => await copyOut(raw, connection, texts, reader))
      if (readerError !== undefined) throw readerError.error
    },
    copyIn: async (text) => copyInUnlessLost(connection, await send(async () => await openCopyIn(raw, text))),
    savepoint: async (work) => await send(async () => await runInSavepoint(raw, connection, work))
  }
}

/** Notes a loss before any code can send the next query. */
function recordLoss (connection: Connection, error: unknown): void {
  if (isConnectionLoss(error)) connection.lost = true
}

async function unlessLost<T> (connection: Connection, send: () => Promise<T>): Promise<T> {
  const { signal } = connection
  signal?.throwIfAborted()
  if (connection.lost) throw connectionLost()
  try {
    return await send()
  } catch (error) {
    recordLoss(connection, error)
    signal?.throwIfAborted()
    throw error
  }
}

/** Returns the error of the reader; throws that of the database when there is no other. */
async function copyOut (
  raw: TransactionSql, connection: Connection, texts: string[], reader: CopyReader
): Promise<{ error: unknown } | undefined> {
  const stoppable: CopyReader = {
    ...reader,
    // Where the cancel request has not arrived, the next statement still does not begin
    begin (index) {
      connection.signal?.throwIfAborted()
      reader.begin(index)
    }
  }
  const { readerError, failure } = await readCopyOut(raw, texts, stoppable, connection.canceller.cancel)
  if (failure !== undefined) recordLoss(connection, failure.error)
  if (failure !== undefined && readerError === undefined) throw failure.error
  return readerError
}

function copyInUnlessLost (connection: Connection, copy: CopyIn): CopyIn {
  return {
    write: async (chunk) => { await unlessLost(connection, async () => { await copy.write(chunk) }) },
    end: async () => await unlessLost(connection, async () => await copy.end()),
    abort: async () => { if (!connection.lost) recordLoss(connection, await copy.abort()) }
  }
}

async function runInSavepoint<T> (
  raw: TransactionSql, connection: Connection, work: (tx: Transaction) => Promise<T>
): Promise<T> {
  const sub = raw.savepoint(async (inner) => {
    const ended = await settle(work(createTransaction(inner, connection)))
    await waitForeverWhenLost(connection)
    if (!ended.ok) throw ended.error
    return ended.value
  })
  return await Promise.race([sub, connection.transaction]) as never
}

/**
 * Sockets close at the very end of a turn of the event loop, and postgres.js 3.4.9 sends what it gets by
 * setImmediate(): when it gets it in a timer, that is before any of them closes. A statement between the two is never
 * sent, and its connection stays unusable: everything after it is queued, the next login too, until that times out. The
 * test "a database that stops just when a statement is sent" shows whether this is still needed.
 */
export const beforeAnySocketCloses = async (): Promise<void> => { await delay(0) }

/**
 * Does not resolve when the connection is lost: postgres.js would send another statement (COMMIT, ROLLBACK, RELEASE). A
 * loss is known after the end of this turn.
 */
export async function waitForeverWhenLost (connection: Connection): Promise<void> {
  await endOfTurn()
  await beforeAnySocketCloses()
  if (connection.lost) await new Promise<never>(() => {})
}

const connectionLost = (): Error => Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' })
