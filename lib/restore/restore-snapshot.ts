import { asciiJson } from '../postgres/ascii.ts'
import { Busy, LockTimeout, RestoreFailed, RestoreUncertain, SchemaNotFound } from '../errors.ts'
import { readSchemas, readServer, type ServerFacts } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import {
  describeWithoutMessage, isDatabaseError, isLockTimeout, isReadOnly, isUnavailable, publicCause, publicDatabaseError
} from '../postgres/database-error.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { backupKey, lockTimeoutMs, lockSchema, tryLockShared } from '../postgres/locks.ts'
import { pinDurableSettings, setLocal, withRoleSettings } from '../postgres/settings.ts'
import { CommitUncertain, inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { describeSequences, unreadSequences } from '../backup/describe-sequences.ts'
import { outsideChildren, outsideChildWarnings, outsidePartitionWarnings } from '../backup/rows-outside.ts'
import { createExclusion, excludedNames } from '../backup/select-tables.ts'
import { writeSnapshot } from '../backup/write-tables.ts'
import type { Drift, RestoreResult } from '../../types/index.ts'
import { analyzeTables } from './analyze-tables.ts'
import { lockScope } from './lock-scope.ts'
import { alterRowSecurity, replaceRows } from './replace-rows.ts'
import type { RestoreContext, RestoreHooks, RestoreJob } from './restore-job.ts'
import type { RestoreScope } from './restore-scope.ts'
import { verifySnapshot } from './verify-file.ts'

/**
 * Milliseconds that the completion waits for a row of the log. Others lock these rows for a moment; a process that is
 * busy between two of its statements, for as long as it is busy.
 */
const logTimeoutMs = 30_000

export interface RestoredSnapshot {
  tables: Array<{ name: string, rows: number }>
  drift: Drift[]
  /** Milliseconds. Their sum is the time of the complete run in its thread. */
  phases: RestoreResult['phases']
}

/**
 * Replaces the rows of the tables that the snapshot contains, in one transaction: after any failure the database is
 * unchanged.
 *
 * The transaction is READ COMMITTED. At a higher isolation level its snapshot would be older than its locks, and the
 * pre_restore snapshot and all comparisons would miss what others committed in between.
 */
export async function restoreSnapshot (sql: Sql, job: RestoreJob, hooks: RestoreHooks): Promise<RestoredSnapshot> {
  const phase = stopwatch()
  let isReplacing = false
  try {
    const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
    const { scope, roleSettings, ...before } = await inTransaction(sql, mode, async (tx) => {
      const server = await begin(tx, job)
      const context = { server, job, hooks }
      await hooks.onLocked()
      const startMs = phase()
      const manifest = await verifySnapshot(job, hooks)
      const verifyMs = phase()
      const { scope, planMs: planning } = await lockScope(tx, manifest, context)
      const planAndLock = phase()
      const planMs = Math.min(planAndLock, Math.round(planning))
      await takePreRestoreSnapshot(tx, scope, context)
      const snapshotMs = phase()
      isReplacing = true
      await replaceRows(tx, scope, context)
      const lockMs = planAndLock - planMs
      const phases = { startMs, verifyMs, planMs, lockMs, snapshotMs, loadMs: phase(), finishMs: 0 }
      await tx.run(setLocal('lock_timeout', String(logTimeoutMs)))
      const { text, parameters } = job.completion
      const result = { tables: restoredTables(scope), drift: scope.drift, phases }
      await tx.query(text, [...parameters, JSON.stringify(rowsByTable(scope)), asciiJson(result)])
      return { scope, roleSettings: server.roleSettings, ...phases }
    }, hooks.signal)
    const commitMs = phase()
    const tables = scope.tables.map(({ table }) => qualifiedName(job.schema, table.name))
    await analyzeTables(sql, tables, roleSettings, hooks.signal)
    const phases = { ...before, loadMs: before.loadMs + commitMs, finishMs: phase() }
    return { tables: restoredTables(scope), drift: scope.drift, phases }
  } catch (error) {
    throw publicError(error, isReplacing)
  }
}

/**
 * Pins the settings and takes the locks on the schema and on the snapshots.
 * @throws FST_BACKUP_BUSY, FST_BACKUP_SCHEMA_NOT_FOUND
 */
async function begin (tx: Transaction, { id, schema, preRestore }: RestoreJob): Promise<ServerFacts> {
  const server = await readServer(tx)
  await pinDurableSettings(tx, server.versionNumber)
  await lockSchema(tx, schema)
  if (!await tryLockShared(tx, backupKey(id))) throw new Busy(`The backup ${id} is being deleted`)
  // Prevents retention from removing the pre_restore snapshot before the rows that it saves are replaced
  await tryLockShared(tx, backupKey(preRestore.id))
  if (!(await readSchemas(tx)).includes(schema)) throw new SchemaNotFound(schema)
  return server
}

const restoredTables = ({ tables }: RestoreScope): RestoredSnapshot['tables'] =>
  tables.map(({ recorded: { name, rows } }) => ({ name, rows }))

const rowsByTable = ({ tables }: RestoreScope): Record<string, number> =>
  Object.fromEntries(tables.map(({ table, recorded }) => [table.name, recorded.rows]))

/** Saves the rows that the restore replaces. It runs under the locks, so it misses no committed write. */
async function takePreRestoreSnapshot (tx: Transaction, scope: RestoreScope, context: RestoreContext): Promise<void> {
  const { server, job: { schema, preRestore, excludeTables, logTable, tables: wanted }, hooks } = context
  // Another session may have locked a sequence that this transaction reads and has not locked
  await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
  await withRoleSettings(tx, server.roleSettings, async () => { await alterRowSecurity(tx, scope, 'NO FORCE') })
  await hooks.onPreRestoreStarted()
  const { recordedSequences } = scope
  const tables = scope.tables.map(({ table }) => table)
  const isExcluded = createExclusion(excludeTables, logTable)
  const warnings = [
    ...unreadSequences(recordedSequences),
    ...outsideChildWarnings(await outsideChildren(tx, tables), isExcluded),
    ...wanted === undefined ? await outsidePartitionWarnings(tx, schema, isExcluded) : []
  ]
  const excludedTables = excludedNames(scope.untouched, schema, isExcluded, logTable)
  const sequences = await describeSequences(tx, recordedSequences, preRestore.schema)
  const written = await writeSnapshot(tx, preRestore, { tables, sequences, server }, hooks.onProgress)
  await hooks.onPreRestoreWritten({ ...written, warnings, excludedTables })
}

/** Returns the milliseconds since its last call. */
function stopwatch (): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const elapsed = Math.round(now - last)
    last = now
    return elapsed
  }
}

/** @param isReplacing whether the error occurred after the restore began to replace rows */
function publicError (error: unknown, isReplacing: boolean): unknown {
  if (error instanceof CommitUncertain) {
    return Object.assign(new RestoreUncertain(error.message), { cause: publicCause(error.cause) })
  }
  // A read-only server already fails BEGIN, so later this error comes from a function of the application
  const isFailure = isReplacing || isLockTimeout(error)
  if (!isDatabaseError(error) || !isFailure || (isUnavailable(error) && !isReadOnly(error))) {
    return publicDatabaseError(error)
  }
  const described = describeWithoutMessage(error)
  const restoreError = isLockTimeout(error) ? new LockTimeout(described) : new RestoreFailed(described)
  return Object.assign(restoreError, { cause: publicCause(error) })
}
