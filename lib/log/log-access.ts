import { DatabaseUnavailable, LogUnusable } from '../errors.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { isVanished, publicDatabaseError } from '../postgres/database-error.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import type { Parameter } from '../postgres/driver/query.ts'
import { pinSettings, requireDurableCommit } from '../postgres/settings.ts'
import { CommitUncertain, inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import { logTableName, prepareLogTable } from './log-table.ts'

/** How the records of the log get at its table. Every function rejects with an error that can leave the library. */
export interface LogAccess {
  /** Qualified and quoted. */
  table: string
  now: () => Date
  /** Makes or migrates the table with the first call; a failed attempt is made again with the next one. */
  prepare: () => Promise<void>
  transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
  query: <Row>(text: string, parameters?: Parameter[]) => Promise<Row[]>
  select: (where: string, parameters?: Parameter[], tail?: string) => Promise<LoggedBackup[]>
  /** UPDATE; gives the rows as they are afterwards. */
  change: (set: string, where: string, parameters: Parameter[]) => Promise<LoggedBackup[]>
}

export function createLogAccess (sql: Sql, schema: string, now: () => Date): LogAccess {
  const table = qualifiedName(schema, logTableName)
  let prepared: Promise<void> | undefined

  async function prepare (): Promise<void> {
    prepared ??= prepareLogTable(sql, schema)
    try {
      await prepared
    } catch (error) {
      prepared = undefined
      throw publicError(error)
    }
  }

  /** An explicit READ WRITE transaction under pinned settings: a role may be read-only by default, or have a short lock_timeout. */
  async function transact<T> (work: (tx: Transaction) => Promise<T>): Promise<T> {
    await prepare()
    try {
      return await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
        await pinSettings(tx)
        await requireDurableCommit(tx)
        return await work(tx)
      })
    } catch (error) {
      if (isVanished(error)) {
        prepared = undefined
        throw new LogUnusable(`${schema}.${logTableName} has vanished or was changed; the next call makes it anew if it is gone`)
      }
      throw publicError(error)
    }
  }

  async function query<Row> (text: string, parameters: Parameter[] = []): Promise<Row[]> {
    return await transact(async (tx) => await tx.query<Row>(text, parameters))
  }

  return {
    table,
    now,
    prepare,
    transact,
    query,
    async select (where, parameters = [], tail = '') {
      return (await query<LogRow>(`SELECT ${logColumns} FROM ${table} old WHERE ${where} ${tail}`, parameters)).map(toLoggedBackup)
    },
    async change (set, where, parameters) {
      return (await query<LogRow>(`WITH q AS (UPDATE ${table} SET ${set} WHERE ${where} RETURNING ${logColumns})`, parameters)).map(toLoggedBackup)
    }
  }
}

/** Whether what was written counts, when COMMIT was not answered, only another look can tell. */
function publicError (error: unknown): unknown {
  return error instanceof CommitUncertain ? new DatabaseUnavailable('the connection was lost during COMMIT') : publicDatabaseError(error)
}

/** A row that holds a snapshot and is not being removed. */
export const snapshotCondition = "status IN ('completed', 'restored') AND removed_at IS NULL"

/** A snapshot of the whole schema, taken here. */
export const fullCondition = "trigger IN ('manual', 'scheduled') AND NOT partial"

/** What a run that ends sets, at the time of this parameter: none ends before it started. */
export const endOfRun = (time: string): string => `finished_at = greatest(started_at, ${time}::text::timestamptz), progress = NULL,
    duration_ms = greatest(0, round(extract(epoch FROM ${time}::text::timestamptz - started_at) * 1000))`

/** A list as one text parameter, for `IN (SELECT … )`. */
export const inList = (parameter: string): string => `IN (SELECT pg_catalog.json_array_elements_text(${parameter}::text::json))`
