import { ArgumentInvalid, CannotSnapshot, SchemaNotFound } from '../errors.ts'
import { type CatalogTable, listTables, readTables } from '../postgres/catalog/tables.ts'
import { isLossless } from '../postgres/catalog/encodings.ts'
import { readSchemas, readServer, type ServerFacts } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { CatalogChanged, lockPlanned, retryWhenCatalogChanged } from '../postgres/catalog/catalog-changed.ts'
import { lockRelations, lockWithRetries, lockSchema, relationIdentity, withinLockTimeout } from '../postgres/locks.ts'
import { readSequences } from '../postgres/catalog/sequences.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import { describeSequences, unreadSequences } from './describe-sequences.ts'
import { nameProblems } from './lossy-text.ts'
import {
  managedRowsProblems, outsideChildren, outsideChildWarnings, outsidePartitionWarnings
} from './rows-outside.ts'
import { isCitus } from '../postgres/catalog/citus.ts'
import type { OutsideChild } from '../postgres/catalog/inheritance.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { createExclusion, excludedNames, findUnknownNames, selectTables, tableProblems } from './select-tables.ts'
import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import { planRanges } from './plan-ranges.ts'
import { withFurtherTransactions } from '../postgres/further-transactions.ts'
import { type SnapshotContent, type SnapshotIdentity, writeSnapshot } from './write-tables.ts'

/** Plain data, which can be passed to another thread. */
export interface SnapshotJob extends SnapshotIdentity {
  excludeTables: string[]
  /** Those of `excludeTables` that must exist, since the caller named them. */
  excludedByCall: string[]
  /** At most so many connections read at the same time. */
  connections: number
  logTable: TableRef
}

/** Called while a snapshot is taken; the schema is locked during all of these calls. */
export interface SnapshotHooks {
  /** The run has locked its schema. It has not written yet. */
  onLocked: () => Promise<void>
  onProgress: OnPhaseProgress
  /**
   * The spool file is complete. The schema stays locked until this resolves, so that no replica marks the run as
   * failed.
   */
  onWritten: (written: WrittenSnapshot) => Promise<void>
  signal: AbortSignal
}

/**
 * How often a run is attempted when it would read other tables than it locked, or when its snapshot is older than its
 * locks.
 */
const attempts = 10

/**
 * Takes a snapshot of a schema: every table from the same instant.
 *
 * The first query of a REPEATABLE READ transaction fixes its snapshot, and a table that is truncated between that query
 * and its LOCK would be read as empty. So another transaction lists the tables before; this one locks them first, and
 * then lists them again.
 */
export async function takeSnapshot (sql: Sql, job: SnapshotJob, hooks: SnapshotHooks): Promise<void> {
  await retryWhenCatalogChanged(attempts, async () => {
    await lockWithRetries(async () => { await tryTakeSnapshot(sql, job, hooks) }, hooks.signal)
  })
}

async function tryTakeSnapshot (sql: Sql, job: SnapshotJob, hooks: SnapshotHooks): Promise<void> {
  const { signal } = hooks
  const { server, listed } = await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY',
    async (tx) => await listLockable(tx, job), signal)
  let completed = false
  try {
    await inTransaction(sql, 'ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
      await pinSettings(tx, server.versionNumber)
      await lockPlanned(async () => { await lockRelations(tx, listed, 'ACCESS SHARE') })
      await lockSchema(tx, job.schema)
      const { tables, excludedTables, children } = await selectReadable(tx, job, server)
      if (!areLocked(tables, listed) || !areFilesCurrent(tables)) throw new CatalogChanged()
      const oids = tables.flatMap(({ relations }) => relations.map(({ oid }) => oid))
      const catalogSequences = await readSequences(tx, job.schema, oids)
      // Before the row of the run is inserted, since it may start over
      const sequences = catalogSequences.length === 0
        ? []
        : await withinLockTimeout(tx, async () => await describeSequences(tx, catalogSequences, job.schema))
      await hooks.onLocked()
      const warnings = [...unreadSequences(catalogSequences), ...await readWarnings(tx, job, children)]
      const written = await writeByStreams(sql, tx, job, { tables, sequences, server }, hooks)
      await hooks.onWritten({ ...written, warnings, excludedTables })
      completed = true
    }, signal)
  } catch (error) {
    // The COMMIT of a read-only transaction does not matter
    if (!completed) throw error
  }
}

/** Reads large tables by several connections, where that is possible. */
async function writeByStreams (
  sql: Sql, tx: Transaction, job: SnapshotJob, content: SnapshotContent, { onProgress, signal }: SnapshotHooks
): Promise<WrittenSnapshot> {
  const ranges = job.connections > 1 ? await planRanges(tx, content.tables) : new Map()
  if (ranges.size === 0) return await writeSnapshot(tx, job, content, onProgress)
  const request = {
    count: job.connections - 1,
    relations: content.tables.flatMap(({ relations }) => relations),
    serverVersion: content.server.versionNumber,
    signal
  }
  return await withFurtherTransactions(sql, tx, request, async (further) => {
    return await writeSnapshot(tx, job, content, onProgress, further.length === 0 ? undefined : { further, ranges })
  })
}

type ListedRelation = TableRef & { oid: string }

async function listLockable (
  tx: Transaction, job: SnapshotJob
): Promise<{ server: ServerFacts, listed: ListedRelation[] }> {
  const server = await readServer(tx)
  await pinSettings(tx, server.versionNumber)
  if (!(await readSchemas(tx)).includes(job.schema)) throw new SchemaNotFound(job.schema)
  // Fails early while a restore runs, which keeps the tables locked for long
  await lockSchema(tx, job.schema)
  const unknown = await findUnknownNames(tx, job.excludedByCall, job.schema)
  if (unknown.length > 0) {
    throw new ArgumentInvalid(`excludeTables names no table of the schema ${job.schema}: ${unknown.join(', ')}`)
  }
  const isExcluded = createExclusion(job.excludeTables, job.logTable)
  const selected = selectTables(await listTables(tx, job.schema), job.schema, isExcluded)
  const listed = selected.flatMap(({ relations }) => relations)
  // Names the problems, which LOCK would not: it does not even find a name that the conversion to UTF-8 changes
  const isLockable = isLossless(server.encoding) && !isCitus(server) && listed.every(({ lockable }) => lockable)
  if (!isLockable) await selectReadable(tx, job, server)
  return { server, listed }
}

async function selectReadable (
  tx: Transaction, { schema, excludeTables, logTable }: SnapshotJob, server: ServerFacts
): Promise<{ tables: CatalogTable[], excludedTables: string[], children: OutsideChild[] }> {
  const isExcluded = createExclusion(excludeTables, logTable)
  const existing = await readTables(tx, schema)
  const tables = selectTables(existing, schema, isExcluded)
  const children = await outsideChildren(tx, tables)
  const problems = [
    ...tableProblems(tables, isExcluded),
    ...await managedRowsProblems(tx, tables, server, children),
    ...await nameProblems(tx, tables, server)
  ]
  if (problems.length > 0) throw Object.assign(new CannotSnapshot(problems.join('; ')), { problems })
  const names = existing.map(({ name }) => name)
  return { tables, children, excludedTables: excludedNames(names, schema, isExcluded, logTable) }
}

async function readWarnings (
  tx: Transaction, { schema, excludeTables, logTable }: SnapshotJob, children: OutsideChild[]
): Promise<string[]> {
  const isExcluded = createExclusion(excludeTables, logTable)
  return [
    ...outsideChildWarnings(children, isExcluded),
    ...await outsidePartitionWarnings(tx, schema, isExcluded)
  ]
}

/**
 * Locked tables keep their columns, privileges and files, so only the second list counts. It may differ from the first
 * one, as long as all of its tables were locked, by the names that they have now.
 */
function areLocked (tables: CatalogTable[], listed: ListedRelation[]): boolean {
  const locked = new Set(listed.map(relationIdentity))
  return tables.every(({ relations }) => relations.every((relation) => locked.has(relationIdentity(relation))))
}

/**
 * When the rows of a table have moved to another file since the snapshot began, the snapshot sees the table as empty or
 * with old rows.
 */
const areFilesCurrent = (tables: CatalogTable[]): boolean =>
  tables.every(({ relations }) => relations.every(({ filenode, currentFilenode }) => filenode === currentFilenode))
