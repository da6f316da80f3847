import { CannotSnapshot, SchemaNotFound } from '../errors.ts'
import { type CatalogTable, readTables } from '../postgres/catalog/tables.ts'
import { readSchemas, readServer, type ServerFacts } from '../postgres/catalog/server.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { CatalogChanged, lockPlanned, retryWhenCatalogChanged } from '../postgres/catalog/catalog-changed.ts'
import { lockRelations, lockWithRetries, occupySchema, relationIdentity } from '../postgres/locks.ts'
import { readSequences } from '../postgres/catalog/sequences.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/driver/transaction.ts'
import type { Progress } from '../../types/index.ts'
import { nameProblems } from './lossy-text.ts'
import { elsewhereProblems, elsewhereWarnings, leafWarnings } from './rows-outside.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { createExclusion, excludedNames, selectTables, tableProblems } from './select-tables.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import { type SnapshotIdentity, unreadSequences, writeSnapshot } from './write-tables.ts'

/** Plain data, so that a run can be handed to another thread. */
export interface SnapshotJob extends SnapshotIdentity { excludeTables: string[], logTable: TableRef }

/** What happens elsewhere while a snapshot is taken; the run's lock is held throughout. */
export interface SnapshotHooks {
  /** The run holds its schema. Nothing is written yet. */
  onLocked: () => Promise<void>
  onProgress: (progress: Progress) => void
  /** The spool file is whole. The lock is held until this has resolved, so nobody can take the run for dead. */
  onWritten: (written: WrittenSnapshot) => Promise<void>
  signal: AbortSignal
}

/** How often a run starts again because what it would read is not what it locked, or because its snapshot is older than its locks. */
const attempts = 10

/**
 * Takes a snapshot of a schema: every table from the same instant.
 *
 * A REPEATABLE READ transaction fixes its snapshot with its first query, and a table that is truncated between that and its LOCK would
 * come out empty. So the tables are listed in a transaction before, locked first thing in this one, and listed again.
 */
export async function takeSnapshot (sql: Sql, job: SnapshotJob, hooks: SnapshotHooks): Promise<void> {
  await retryWhenCatalogChanged(attempts, async () => {
    await lockWithRetries(async () => { await tryTakeSnapshot(sql, job, hooks) }, hooks.signal)
  })
}

async function tryTakeSnapshot (sql: Sql, job: SnapshotJob, hooks: SnapshotHooks): Promise<void> {
  const { signal } = hooks
  const { server, tables: listed } = await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => await listTables(tx, job), signal)
  let completed = false
  try {
    await inTransaction(sql, 'ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
      await pinSettings(tx, server.versionNumber)
      await lockPlanned(async () => { await lockRelations(tx, listed.flatMap(({ relations }) => relations), 'ACCESS SHARE') })
      await occupySchema(tx, job.schema)
      const { tables, excludedTables } = await selectReadable(tx, job, server)
      if (!areLocked(tables, listed) || !areSeenAsTheyAre(tables)) throw new CatalogChanged()
      const sequences = await readSequences(tx, job.schema, tables.flatMap(({ relations }) => relations.map(({ oid }) => oid)))
      await hooks.onLocked()
      const warnings = [...unreadSequences(sequences), ...await readWarnings(tx, job, tables)]
      await hooks.onWritten({ ...await writeSnapshot(tx, job, { tables, sequences, server }, hooks.onProgress), warnings, excludedTables })
      completed = true
    }, signal)
  } catch (error) {
    // A read-only transaction has nothing to lose in its COMMIT
    if (!completed) throw error
  }
}

async function listTables (tx: Transaction, job: SnapshotJob): Promise<{ server: ServerFacts, tables: CatalogTable[] }> {
  const server = await readServer(tx)
  await pinSettings(tx, server.versionNumber)
  if (!(await readSchemas(tx)).includes(job.schema)) throw new SchemaNotFound(job.schema)
  // Only to see whether it is free: behind a restore the tables could not be locked for long
  await occupySchema(tx, job.schema)
  return { server, tables: (await selectReadable(tx, job, server)).tables }
}

async function selectReadable (tx: Transaction, { schema, excludeTables, logTable }: SnapshotJob, server: ServerFacts): Promise<{ tables: CatalogTable[], excludedTables: string[] }> {
  const isExcluded = createExclusion(excludeTables, logTable)
  const existing = await readTables(tx, schema)
  const tables = selectTables(existing, schema, isExcluded)
  const problems = [...tableProblems(tables, isExcluded), ...await elsewhereProblems(tx, tables, server), ...await nameProblems(tx, tables, server)]
  if (problems.length > 0) throw Object.assign(new CannotSnapshot(problems.join('; ')), { problems })
  return { tables, excludedTables: excludedNames(existing.map(({ name }) => name), schema, isExcluded, logTable) }
}

async function readWarnings (tx: Transaction, { schema, excludeTables, logTable }: SnapshotJob, tables: CatalogTable[]): Promise<string[]> {
  const isExcluded = createExclusion(excludeTables, logTable)
  return [...await elsewhereWarnings(tx, tables, isExcluded), ...await leafWarnings(tx, schema, isExcluded)]
}

/**
 * Under their locks the tables keep their columns, rights and files, so only what stands in the second listing counts. How it differs from the
 * first one means nothing, as long as everything in it was locked, by the name that it has.
 */
function areLocked (tables: CatalogTable[], listed: CatalogTable[]): boolean {
  const locked = new Set(listed.flatMap(({ relations }) => relations.map(relationIdentity)))
  return tables.every(({ relations }) => relations.every((relation) => locked.has(relationIdentity(relation))))
}

/** When a table's rows have moved to another file since the snapshot began, what it sees is not what was there. */
const areSeenAsTheyAre = (tables: CatalogTable[]): boolean =>
  tables.every(({ relations }) => relations.every(({ filenode, currentFilenode }) => filenode === currentFilenode))
