import { connectBeside, type Sql } from './driver/connection.ts'
import { inTransaction, type Transaction } from './driver/transaction.ts'
import { quoteLiteral, type TableRef } from './identifiers.ts'
import { lockAtOnce } from './locks.ts'
import { pinSettings } from './settings.ts'

export interface FurtherRequest {
  /** How many transactions. */
  count: number
  /** Locked by the first transaction. */
  relations: TableRef[]
  /** `server_version_num`. */
  serverVersion: number
  signal: AbortSignal
  /** Milliseconds in which all of them must begin; default: 3000. Tests replace it. */
  openingTimeoutMs?: number
}

/** What identifies a snapshot. Another server may have one of the same name. */
interface SharedSnapshot { name: string, serverStart: string }

/**
 * Runs `work` with further transactions on connections of their own, which see the same rows as `tx` and have locked
 * the same tables (manual, 9.28.5, Snapshot Synchronization Functions). They end when `work` has settled.
 *
 * `work` gets none of them when one could not begin: because another session has a lock on a table or waits for one,
 * because the server accepts no more connections, or because the connection leads to another server. Behind a
 * connection pooler none is attempted: a second one may get its turn only after `tx` has ended.
 */
export async function withFurtherTransactions<T> (
  sql: Sql, tx: Transaction, request: FurtherRequest, work: (further: Transaction[]) => Promise<T>
): Promise<T> {
  if (!await tx.isDirect()) return await work([])
  const shared = await tx.queryRow<SharedSnapshot>(`SELECT pg_catalog.pg_export_snapshot() AS name,
    pg_catalog.pg_postmaster_start_time()::text AS "serverStart"`)
  const further = new FurtherTransactions(sql, shared, request)
  try {
    return await work(await further.open())
  } finally {
    await further.close()
  }
}

class FurtherTransactions {
  readonly #shared: SharedSnapshot
  readonly #request: FurtherRequest
  readonly #pool: Sql
  readonly #stopping = new AbortController()
  readonly #signal: AbortSignal
  /** Settle with the transactions. */
  readonly #ended: Array<Promise<unknown>> = []
  readonly #releasing = new AbortController()

  constructor (sql: Sql, shared: SharedSnapshot, request: FurtherRequest) {
    this.#shared = shared
    this.#request = request
    this.#signal = AbortSignal.any([request.signal, this.#stopping.signal])
    this.#pool = connectBeside(sql, request.count)
  }

  async open (): Promise<Transaction[]> {
    const { count, openingTimeoutMs = 3000 } = this.#request
    const timer = setTimeout(() => { this.#stopping.abort(new Error('further connections took too long')) },
      openingTimeoutMs)
    const opened = await Promise.all(Array.from({ length: count }, async () => await this.#begin()))
    clearTimeout(timer)
    const usable = opened.filter((tx) => tx !== undefined)
    if (usable.length === count) return usable
    await this.close()
    return []
  }

  /** May be called more than once, while none of them runs a statement. */
  async close (): Promise<void> {
    this.#releasing.abort()
    await Promise.allSettled(this.#ended)
    await this.#pool.end({ timeout: 1 })
  }

  /** Returns undefined when it could not begin, for whatever reason: the backup does not need it. */
  async #begin (): Promise<Transaction | undefined> {
    return await new Promise((resolve) => {
      const ended = inTransaction(this.#pool, 'ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
        await this.#prepare(tx)
        resolve(tx)
        await aborted(this.#releasing.signal)
      }, this.#signal)
      this.#ended.push(ended)
      ended.catch((error: unknown) => {
        // One that is missing makes the others useless
        this.#stopping.abort(error)
        resolve(undefined)
      })
    })
  }

  /** SET LOCAL and LOCK take no snapshot, so it can be set after them. */
  async #prepare (tx: Transaction): Promise<void> {
    const { relations, serverVersion } = this.#request
    const { name, serverStart } = this.#shared
    await pinSettings(tx, serverVersion)
    await tx.run(`${lockAtOnce(relations, 'ACCESS SHARE')} SET TRANSACTION SNAPSHOT ${quoteLiteral(name)}`)
    // Throws on another server
    await tx.queryRow('SELECT 1 WHERE pg_catalog.pg_postmaster_start_time()::text = $1', [serverStart])
  }
}

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
}
