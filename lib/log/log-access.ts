import { DatabaseUnavailable, LogUnusable } from '../errors.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { isDenied, isVanished, publicDatabaseError } from '../postgres/database-error.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { changesData, type Parameter } from '../postgres/driver/query.ts'
import { durableSettings, pinDurableSettings, pinnedSettings } from '../postgres/settings.ts'
import {
  CommitUncertain, inTransaction, readInOneTrip, runInOneTrip, type Transaction
} from '../postgres/driver/transaction.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import { explainDenied } from './log-privileges.ts'
import { logTableName, prepareLogTable } from './log-table.ts'
import { createStorableText, type StorableText } from './storable-text.ts'

/** Statements on the log table, for the files of this folder. Every function rejects with a public error. */
export interface LogAccess extends StorableText {
  /** Qualified and quoted. */
  table: string
  now: () => Date
  /** Creates or migrates the table at the first call, and again at the next call when that failed. */
  prepare: () => Promise<void>
  transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
  /** One statement, in a transaction of its own. */
  query: <Row>(text: string, parameters?: Parameter[]) => Promise<Row[]>
  select: (where: string, parameters?: Parameter[], tail?: string) => Promise<LoggedBackup[]>
  /** UPDATE in one round trip, so that a process that is busy does not keep rows locked. Need not survive a crash. */
  changeAtOnce: (set: string, where: string) => Promise<void>
  /** UPDATE; returns the new rows. */
  change: (set: string, where: string, parameters: Parameter[]) => Promise<LoggedBackup[]>
}

export function createLogAccess (sql: Sql, schema: string, now: () => Date): LogAccess {
  const table = qualifiedName(schema, logTableName)
  const { prepare, transact, query } = createPreparedLog(sql, schema)

  return {
    table,
    now,
    prepare,
    transact,
    ...createStorableText(transact),
    query,
    async select (where, parameters = [], tail = '') {
      const text = `SELECT ${logColumns} FROM ${table} old WHERE ${where} ${tail}`
      return (await query<LogRow>(text, parameters)).map(toLoggedBackup)
    },
    async changeAtOnce (set, where) {
      await prepare()
      const settings = `${pinnedSettings} SET LOCAL synchronous_commit = off;`
      await runInOneTrip(sql, `${settings} UPDATE ${table} SET ${set} WHERE ${where}`)
        .catch((error: unknown) => { throw publicError(error) })
    },
    async change (set, where, parameters) {
      const text = `WITH q AS (UPDATE ${table} SET ${set} WHERE ${where} RETURNING ${logColumns})`
      return (await query<LogRow>(text, parameters)).map(toLoggedBackup)
    }
  }
}

/** With pinned settings, because a role may be read-only by default, or have a short lock_timeout. */
const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'

/** Transactions in which the log table exists. */
function createPreparedLog (sql: Sql, schema: string): Pick<LogAccess, 'prepare' | 'transact' | 'query'> {
  let prepared: Promise<void> | undefined

  async function prepare (): Promise<void> {
    prepared ??= prepareLogTable(sql, schema)
    try {
      await prepared
    } catch (error) {
      prepared = undefined
      throw await explained(error, true)
    }
  }

  async function explained (error: unknown, isMigration: boolean): Promise<unknown> {
    const lackOfPrivilege = isDenied(error)
      ? await explainDenied(sql, schema, isMigration).catch(() => undefined)
      : undefined
    return lackOfPrivilege ?? publicError(error)
  }

  /** Runs `work` when the table exists. */
  async function whenPrepared<T> (work: () => Promise<T>): Promise<T> {
    await prepare()
    try {
      return await work()
    } catch (error) {
      if (isVanished(error)) {
        prepared = undefined
        throw vanished(schema)
      }
      throw await explained(error, false)
    }
  }

  return {
    prepare,
    transact: async (work) => await whenPrepared(async () => await inTransaction(sql, mode, async (tx) => {
      await pinDurableSettings(tx)
      return await work(tx)
    })),
    // A change is not one round trip: after a lost connection it could not be told from one that has not begun
    query: async <Row>(text: string, parameters: Parameter[] = []) => await whenPrepared(async () => changesData(text)
      ? await inTransaction(sql, mode, async (tx) => await tx.query<Row>(text, parameters, durableSettings))
      : await readInOneTrip<Row>(sql, pinnedSettings, text, parameters))
  }
}

const vanished = (schema: string): Error => new LogUnusable(
  `${schema}.${logTableName} has vanished or was changed; the next call creates it again if it no longer exists`)

/** After a COMMIT without an answer, only another query can show whether the changes are stored. */
function publicError (error: unknown): unknown {
  return error instanceof CommitUncertain
    ? new DatabaseUnavailable('the connection was lost during COMMIT')
    : publicDatabaseError(error)
}

/** A row of a completed snapshot that is not being removed. */
export const snapshotCondition = "status IN ('completed', 'restored') AND removed_at IS NULL"

/** A failed run whose file the storage may still contain. */
export const failedWithFile = "status = 'failed' AND has_file"

/** A complete snapshot of the schema, taken by this service. */
export const fullCondition = "trigger IN ('manual', 'scheduled') AND NOT partial"

/** Sets the end of a run to the time in this parameter, and not before its start. */
export const endOfRun = (time: string): string =>
  `finished_at = greatest(started_at, ${time}::text::timestamptz), progress = NULL,
    duration_ms = greatest(0, round(extract(epoch FROM ${time}::text::timestamptz - started_at) * 1000))`

/** The error of a run, as the log stores it. It contains no row data. */
export interface LoggedError { code: string, message: string }

/** How long the log keeps events. */
const eventLifetime = "interval '10 minutes'"

/** Of an event, as SQL of type jsonb: whether the log still has to keep it. */
export const isRecent = (event: string): string =>
  `(${event} ->> 'at')::timestamptz > clock_timestamp() - ${eventLifetime}`

/**
 * Adds an entry to the events of a row, which other replicas read (see event-records.ts). Removes entries older than
 * ten minutes, so that the list stays short.
 * @param entry SQL of type jsonb: an object with `name`
 */
export const withEvent = (entry: string): string => withEvents(`jsonb_build_array(${newEvent(entry)})`)

/** The same for an array of entries that have their transaction and their time. */
export const withEvents = (entries: string): string => `changed_in = pg_current_xact_id(),
  events = (SELECT coalesce(jsonb_agg(former ORDER BY place), '[]') FROM jsonb_array_elements(events)
      WITH ORDINALITY AS formers (former, place) WHERE ${isRecent('former')}) || ${entries}`

/** The entry, with its transaction and its time by the clock of the database. */
export const newEvent = (entry: string): string =>
  `(jsonb_build_object('in', pg_current_xact_id()::text, 'at', clock_timestamp()) || ${entry})`

/** The entry of a failed run; the parameters are text. */
export const failedEvent = (name: string, code: string, message: string): string => `jsonb_build_object(
  'name', '${name}', 'error', jsonb_build_object('code', ${code}::text, 'message', ${message}::text))`

/** `IN (SELECT …)` for a list in one parameter, as JSON. */
export const inList = (parameter: string): string =>
  `IN (SELECT pg_catalog.json_array_elements_text(${parameter}::text::json))`
