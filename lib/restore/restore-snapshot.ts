import type { Readable } from 'node:stream'
import { Busy, CannotRestore, CatalogUnstable, RestoreFailed, RestoreUncertain, SchemaDrift, SchemaNotFound, SnapshotInvalid } from '../errors.ts'
import { type CatalogRelation, readSchemas, readServer, type ServerFacts } from '../postgres/catalog.ts'
import { addChecks, dropChecks } from '../postgres/checks.ts'
import type { Sql } from '../postgres/connection.ts'
import { describeDatabaseError, isDatabaseError, isUnavailable, isVanished, publicCause, publicDatabaseError } from '../postgres/database-error.ts'
import { fingerprintDifference } from '../postgres/fingerprint.ts'
import { addForeignKeys, dropForeignKeys } from '../postgres/foreign-keys.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import { backupKey, lockRelations, lockWithRetries, schemaKey, tryLock, tryLockShared } from '../postgres/locks.ts'
import type { Parameter } from '../postgres/query.ts'
import { holdSequences, setSequence } from '../postgres/sequences.ts'
import { pinSettings, setLocal } from '../postgres/settings.ts'
import { CommitUncertain, inTransaction, type Transaction } from '../postgres/transaction.ts'
import { disableTriggers, enableTriggers } from '../postgres/triggers.ts'
import { createExclusion } from '../snapshot/select-tables.ts'
import { readSnapshot, type ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import { type SnapshotIdentity, writeSnapshot } from '../snapshot/write-snapshot.ts'
import type { Drift, Manifest, Progress } from '../../types/index.ts'
import { driftSummary, type TableToRestore } from './restore-plan.ts'
import { readScope, restoreProblems, type RestoreScope, type RestoreTarget } from './restore-scope.ts'

/** Plain data, so that a run can be handed to another thread. */
export interface RestoreJob extends RestoreTarget {
  id: string
  /** What the log says of the file, `sha256:…`; null accepts any. */
  checksum: string | null
  allowSchemaDrift: boolean
  /** Accept a file whose checksum does not match. */
  allowModified: boolean
  /** The snapshot that is taken of what is about to be replaced. */
  preRestore: SnapshotIdentity
  /** Notes the restore in the log: the last statement of the transaction. */
  completion: { text: string, parameters: Parameter[] }
}

/** What happens elsewhere during a restore; its locks are held throughout. */
export interface RestoreHooks {
  /** The run holds the schema and the snapshot. */
  onLocked: () => Promise<void>
  /** The snapshot's bytes from the start; called twice, once to verify and once to load. */
  open: () => Promise<Readable>
  onPreRestoreStarted: () => Promise<void>
  onPreRestoreWritten: (written: WrittenSnapshot) => Promise<void>
  onProgress: (progress: Progress) => void
  signal: AbortSignal
}

export interface RestoredSnapshot { tables: Array<{ name: string, rows: number }>, drift: Drift[], phases: { verifyMs: number, snapshotMs: number, loadMs: number } }

/** The catalog changed between planning and locking: again, from the plan. */
class CatalogChanged extends Error {}

const attempts = 5

/**
 * Replaces the rows of the tables that the snapshot holds, in one transaction: after any failure the database is as it was.
 *
 * READ COMMITTED, since a transaction that fixed its snapshot before its locks would save and compare a stale moment. The tables
 * are locked once, in one statement, both ends of every foreign key, in the strongest mode: a weaker lock raised later deadlocks.
 */
export async function restoreSnapshot (sql: Sql, job: RestoreJob, hooks: RestoreHooks): Promise<RestoredSnapshot> {
  const phase = stopwatch()
  let touched = false
  try {
    const { relations, ...restored } = await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
      const server = await readServer(tx)
      await pinSettings(tx, server.versionNumber)
      if (!await tryLock(tx, schemaKey(job.schema))) throw new Busy(`Another backup or restore of schema ${job.schema} is running`)
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
      await tx.query(job.completion.text, job.completion.parameters)
      return {
        relations: scope.relations,
        tables: scope.tables.map(({ source }) => ({ name: source.name, rows: verified.rows.get(source.name) ?? 0 })),
        drift: scope.drift,
        phases: { verifyMs, snapshotMs, loadMs: phase() }
      }
    }, hooks.signal)
    await analyze(sql, relations)
    return restored
  } catch (error) {
    throw explain(error, touched)
  }
}

/** The planner knows nothing of the new rows until somebody counts them. Autovacuum would in the end, so a failure is none. */
async function analyze (sql: Sql, relations: CatalogRelation[]): Promise<void> {
  const names = relations.map(({ schema, name }) => qualifiedName(schema, name))
  if (names.length === 0) return
  await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
    await pinSettings(tx)
    await tx.run(`ANALYZE ${names.join(', ')}`)
  }).catch(() => {})
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
  if (!isDatabaseError(error) || isUnavailable(error) || !touched) return publicDatabaseError(error)
  return Object.assign(new RestoreFailed(describeDatabaseError(error)), { cause: publicCause(error) })
}

/** Reads the whole file before anything is touched: its structure, its counts, both checksums, and that it is the one it claims to be. */
async function verifySnapshot (job: RestoreJob, hooks: RestoreHooks): Promise<ReadSnapshot> {
  const drop = { keep: () => true, write: async () => {} }
  const read = await readWith(job, hooks, 'verify', async () => drop)
  const { manifest } = read
  if (manifest.id !== job.id) throw new SnapshotInvalid(`it holds the snapshot ${manifest.id} in place of ${job.id}`)
  for (const { name, rows } of manifest.tables) {
    if (read.rows.get(name) !== rows && !job.allowModified) throw new SnapshotInvalid(`table ${JSON.stringify(name)} has ${read.rows.get(name) ?? 0} rows, and the manifest says ${rows}`)
  }
  if (job.allowModified) return read
  if (read.dataChecksum !== manifest.checksum) throw new SnapshotInvalid('its data do not match the checksum in the manifest')
  if (job.checksum !== null && read.checksum !== job.checksum) throw new SnapshotInvalid('it does not match the checksum in the log')
  return read
}

async function readWith (job: RestoreJob, { open, onProgress, signal }: RestoreHooks, phase: 'verify' | 'load', target: Parameters<typeof readSnapshot>[1]): Promise<ReadSnapshot> {
  const stream = await open()
  let tables = 0
  let tablesDone = -1
  let before = 0
  let current = 0
  try {
    return await readSnapshot(stream, async (table, manifest) => {
      signal.throwIfAborted()
      tables = manifest.tables.length
      tablesDone++
      before += current
      current = 0
      return await target(table, manifest)
    }, (table, rows, bytes) => {
      signal.throwIfAborted()
      current = rows
      onProgress({ phase, table, tables, tablesDone, rows: before + rows, bytes })
    })
  } finally {
    stream.destroy()
  }
}

/** Plans, locks, and plans again: only what is the same before and after is acted upon. */
async function lockScope (tx: Transaction, job: RestoreJob, manifest: Manifest, server: ServerFacts, signal: AbortSignal): Promise<RestoreScope> {
  for (let attempt = 1; ; attempt++) {
    try {
      // A lock timeout undoes the savepoint: the tables are free in the pauses, while the run keeps its schema
      return await lockWithRetries(async () => await tx.savepoint(async (inner) => await tryLockScope(inner, job, manifest, server)), signal)
    } catch (error) {
      if (!(error instanceof CatalogChanged)) throw error
      if (attempt === attempts) throw new CatalogUnstable()
    }
  }
}

async function tryLockScope (tx: Transaction, job: RestoreJob, manifest: Manifest, server: ServerFacts): Promise<RestoreScope> {
  const planned = await readScope(tx, manifest, job)
  if (planned.drift.length > 0 && !job.allowSchemaDrift) throw Object.assign(new SchemaDrift(driftSummary(planned.drift)), { drift: planned.drift })
  const problems = await restoreProblems(tx, planned, server, createExclusion(job.excludeTables, job.logTable))
  if (problems.length > 0) throw Object.assign(new CannotRestore(problems.join('; ')), { problems })
  try {
    await lockRelations(tx, relationsToLock(planned), 'ACCESS EXCLUSIVE')
  } catch (error) {
    throw isVanished(error) ? new CatalogChanged() : error
  }
  await holdSequences(tx, planned.sequences)
  const locked = await readScope(tx, manifest, job)
  if (fingerprintDifference(planned.fingerprint, locked.fingerprint).length > 0) throw new CatalogChanged()
  return locked
}

/** Each once. A referenced table of somebody else's that may not be locked so is left to the foreign key's own locks. */
function relationsToLock ({ relations, foreignKeys }: RestoreScope): Array<{ schema: string, name: string }> {
  const partners = foreignKeys.flatMap(({ table, references }) => references.lockable || references.owned ? [table, references] : [table])
  return [...new Map([...relations, ...partners].map((relation) => [relation.oid, relation])).values()]
}

/** The rows that are about to be replaced, read under the locks: not one committed write falls in between. */
async function snapshotBefore (tx: Transaction, scope: RestoreScope, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
  await alterRowSecurity(tx, scope, 'NO FORCE')
  await hooks.onPreRestoreStarted()
  const written = await writeSnapshot(tx, job.preRestore, { tables: scope.tables.map(({ table }) => table), sequences: scope.sequences, server }, hooks.onProgress)
  await hooks.onPreRestoreWritten(written)
}

/** The owner is subject to FORCEd row security: it could neither copy such a table nor check foreign keys against all of its rows. */
async function alterRowSecurity (tx: Transaction, { relations, foreignKeys }: RestoreScope, action: 'FORCE' | 'NO FORCE'): Promise<void> {
  const forced = [...relations, ...foreignKeys.flatMap(({ table, references }) => [table, references])]
    .filter((relation) => relation.owned && relation.forcesRowSecurity)
  for (const table of new Set(forced.map(({ schema, name }) => qualifiedName(schema, name)))) {
    await tx.run(`ALTER TABLE ONLY ${table} ${action} ROW LEVEL SECURITY`)
  }
}

async function replaceRows (tx: Transaction, scope: RestoreScope, verified: ReadSnapshot, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
  await disableTriggers(tx, scope.triggers)
  await dropForeignKeys(tx, scope.foreignKeys)
  await dropChecks(tx, scope.checks)
  await truncate(tx, scope)
  // Checks, index expressions and generated columns may call functions that find their tables by the role's own path
  await tx.query("SELECT set_config('search_path', $1::text, true) AS path", [server.searchPath])
  await load(tx, scope, verified, job, hooks)
  await tx.run(setLocal('search_path', 'pg_catalog, pg_temp'))
  // Events that wait for the end of the transaction would block ALTER TABLE
  await tx.run('SET CONSTRAINTS ALL IMMEDIATE')
  await setSequences(tx, scope, verified.manifest, job.schema)
  await addChecks(tx, scope.checks)
  await addForeignKeys(tx, scope.foreignKeys)
  await enableTriggers(tx, scope.triggers)
  await alterRowSecurity(tx, scope, 'FORCE')
  const after = await readScope(tx, verified.manifest, job)
  const difference = fingerprintDifference(scope.fingerprint, after.fingerprint)
  if (difference.length > 0) throw new RestoreFailed(`the schema would not have come back as it was: ${difference.join(' / ')}`)
}

/**
 * All leaves and tables in one statement, each by ONLY: TRUNCATE of a root or an inheritance parent reaches descendants that are not
 * meant. DELETE would meet rules and row triggers, and leave the dead rows behind.
 */
async function truncate (tx: Transaction, { relations }: RestoreScope): Promise<void> {
  const names = relations.filter(({ kind }) => kind === 'r').map(({ schema, name }) => `ONLY ${qualifiedName(schema, name)}`)
  if (names.length > 0) await tx.run(`TRUNCATE ${names.join(', ')} CONTINUE IDENTITY RESTRICT`)
}

async function load (tx: Transaction, scope: RestoreScope, verified: ReadSnapshot, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
  const targets = new Map(scope.tables.map((target) => [target.source.name, target]))
  let finishPrevious = async (): Promise<void> => {}
  let abandon = async (): Promise<void> => {}
  try {
    const read = await readWith(job, hooks, 'load', async ({ name }) => {
      await finishPrevious()
      const target = targets.get(name)
      if (target === undefined) return { keep: () => false, write: async () => {} }
      const copy = await tx.copyIn(copyStatement(job.schema, target))
      abandon = copy.abort
      finishPrevious = async () => {
        finishPrevious = async () => {}
        abandon = async () => {}
        const count = await copy.end()
        const expected = verified.rows.get(name)
        if (count !== expected) throw new RestoreFailed(`table ${name} took ${count} of ${expected ?? 0} rows`)
      }
      const kept = new Set(target.columns)
      return { keep: (column) => kept.has(column.name), write: copy.write }
    })
    await finishPrevious()
    if (read.checksum !== verified.checksum) throw new SnapshotInvalid('it changed while it was read')
  } catch (error) {
    await abandon()
    throw error
  }
}

function copyStatement (schema: string, { table, columns }: TableToRestore): string {
  const list = columns.length === 0 ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`
  return `COPY ${qualifiedName(schema, table.name)}${list} FROM STDIN`
}

/** By name, or by the column that owns it: a cloned schema may call its sequences otherwise. One that the snapshot lacks stays as it is. */
async function setSequences (tx: Transaction, { sequences }: RestoreScope, manifest: Manifest, schema: string): Promise<void> {
  for (const sequence of sequences) {
    const home = sequence.schema === schema ? undefined : sequence.schema
    const state = manifest.sequences.find(({ name, schema: other }) => name === sequence.name && other === home) ??
      manifest.sequences.find(({ ownedBy }) => ownedBy !== null && ownedBy === sequence.ownedBy)
    if (state !== undefined) await setSequence(tx, sequence, state)
  }
}
