import { Busy, LockTimeout, RestoreFailed, RestoreUncertain, SchemaNotFound } from '../errors.ts'
import { readSchemas, readServer, type ServerFacts } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { describeWithoutMessage, isDatabaseError, isLockTimeout, isReadOnly, isUnavailable, publicCause, publicDatabaseError } from '../postgres/database-error.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { backupKey, lockTimeoutMs, occupySchema, tryLockShared } from '../postgres/locks.ts'
import { pinSettings, requireDurableCommit, type RoleSettings, setLocal, withRoleSettings } from '../postgres/settings.ts'
import { CommitUncertain, inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { elsewhereWarnings, leafWarnings } from '../backup/rows-outside.ts'
import { createExclusion, excludedNames } from '../backup/select-tables.ts'
import { unreadSequences, writeSnapshot } from '../backup/write-tables.ts'
import type { Drift } from '../../types/index.ts'
import { lockScope } from './lock-scope.ts'
import { alterRowSecurity, replaceRows } from './replace-rows.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'
import type { RestoreScope } from './restore-scope.ts'
import { verifySnapshot } from './verify-file.ts'

export interface RestoredSnapshot { tables: Array<{ name: string, rows: number }>, drift: Drift[], phases: { verifyMs: number, snapshotMs: number, loadMs: number } }

/**
 * Replaces the rows of the tables that the snapshot holds, in one transaction: after any failure the database is as it was.
 *
 * READ COMMITTED, since a transaction that fixed its snapshot before its locks would save and compare a stale moment.
 */
export async function restoreSnapshot (sql: Sql, job: RestoreJob, hooks: RestoreHooks): Promise<RestoredSnapshot> {
  const phase = stopwatch()
  let touched = false
  try {
    const mode = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
    const { scope, roleSettings, ...phases } = await inTransaction(sql, mode, async (tx) => {
      const server = await readServer(tx)
      await pinSettings(tx, server.versionNumber)
      await requireDurableCommit(tx)
      await occupySchema(tx, job.schema)
      if (!await tryLockShared(tx, backupKey(job.id))) throw new Busy(`The backup ${job.id} is being deleted`)
      // Nor may what is about to be replaced be pruned, as long as it may be needed
      await tryLockShared(tx, backupKey(job.preRestore.id))
      if (!(await readSchemas(tx)).includes(job.schema)) throw new SchemaNotFound(job.schema)
      await hooks.onLocked()
      const verified = await verifySnapshot(job, hooks)
      const verifyMs = phase()
      const scope = await lockScope(tx, job, verified.manifest, server, hooks.signal)
      await snapshotBefore(tx, scope, server, job, hooks)
      const snapshotMs = phase()
      touched = true
      await replaceRows(tx, scope, verified, server, job, hooks)
      await tx.query(job.completion.text, [...job.completion.parameters, JSON.stringify(rowsByTable(scope))])
      return { scope, roleSettings: server.roleSettings, verifyMs, snapshotMs, loadMs: phase() }
    }, hooks.signal)
    await analyze(sql, scope.tables.map(({ table }) => qualifiedName(job.schema, table.name)), roleSettings, hooks.signal)
    return { tables: scope.tables.map(({ source: { name, rows } }) => ({ name, rows })), drift: scope.drift, phases }
  } catch (error) {
    throw explain(error, touched)
  }
}

const rowsByTable = ({ tables }: RestoreScope): Record<string, number> =>
  Object.fromEntries(tables.map(({ table, source }) => [table.name, source.rows]))

/** The rows that are about to be replaced, read under the locks: not one committed write falls in between. */
async function snapshotBefore (tx: Transaction, scope: RestoreScope, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
  // A sequence that is not held may be somebody else's
  await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
  await withRoleSettings(tx, server.roleSettings, async () => { await alterRowSecurity(tx, scope, 'NO FORCE') })
  await hooks.onPreRestoreStarted()
  const tables = scope.tables.map(({ table }) => table)
  const isExcluded = createExclusion(job.excludeTables, job.logTable)
  const warnings = [...unreadSequences(scope.recordedSequences), ...await elsewhereWarnings(tx, tables, isExcluded), ...job.tables === undefined ? await leafWarnings(tx, job.schema, isExcluded) : []]
  const excludedTables = excludedNames(scope.untouched, job.schema, isExcluded, job.logTable)
  const written = await writeSnapshot(tx, job.preRestore, { tables, sequences: scope.recordedSequences, server }, hooks.onProgress)
  await hooks.onPreRestoreWritten({ ...written, warnings, excludedTables })
}

/**
 * The planner knows nothing of the new rows until somebody counts them. Autovacuum would in the end, but not for
 * partitioned tables. A failure is none, and nobody is waited for: what holds the tables against it is a VACUUM, say,
 * or a new index. Where one table's fails, for a function in its index, say, each of the others has its own.
 */
async function analyze (sql: Sql, tables: string[], roleSettings: RoleSettings, signal: AbortSignal): Promise<void> {
  const analyzeTogether = async (names: string[]): Promise<void> => {
    await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
      await pinSettings(tx)
      // Functions may wait for tables, which SKIP_LOCKED does not see
      await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
      await withRoleSettings(tx, roleSettings, async () => { await tx.run(`ANALYZE (SKIP_LOCKED) ${names.join(', ')}`) })
    }, signal)
  }
  if (tables.length === 0) return
  const failure = await analyzeTogether(tables).catch((error: unknown) => ({ error }))
  if (failure === undefined || isUnavailable(failure.error)) return
  for (const table of tables) {
    if (!signal.aborted) await analyzeTogether([table]).catch(() => {})
  }
}

/** Milliseconds since the last call. */
function stopwatch (): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const elapsed = Math.round(now - last)
    last = now
    return elapsed
  }
}

function explain (error: unknown, touched: boolean): unknown {
  if (error instanceof CommitUncertain) return Object.assign(new RestoreUncertain(error.message), { cause: publicCause(error.cause) })
  // A server that may only be read says so at BEGIN: later it is a function of somebody's
  if (!isDatabaseError(error) || !(touched || isLockTimeout(error)) || (isUnavailable(error) && !isReadOnly(error))) return publicDatabaseError(error)
  const told = isLockTimeout(error) ? new LockTimeout(describeWithoutMessage(error)) : new RestoreFailed(describeWithoutMessage(error))
  return Object.assign(told, { cause: publicCause(error) })
}
