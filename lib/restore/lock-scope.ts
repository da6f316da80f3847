import { CannotRestore, SchemaDrift } from '../errors.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { CatalogChanged, lockPlanned, retryWhenCatalogChanged } from '../postgres/catalog/catalog-changed.ts'
import { lockRelations, lockWithRetries, relationIdentity, withinLockTimeout } from '../postgres/locks.ts'
import { holdSequences } from '../postgres/catalog/sequences.ts'
import { withRoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import type { RestoreJob } from './restore-job.ts'
import { driftSummary } from './restore-plan.ts'
import { restoreProblems } from './restore-problems.ts'
import { readScope, type RestoreScope } from './restore-scope.ts'

const attempts = 5

/**
 * Plans, locks, and plans again: only what was locked is acted upon.
 *
 * The tables are locked once, in one statement, both ends of every foreign key, in the strongest mode: a weaker lock raised later
 * deadlocks. The sequences come after them, since others lock a table first and its sequence then.
 */
export async function lockScope (tx: Transaction, job: RestoreJob, manifest: Manifest, server: ServerFacts, signal: AbortSignal): Promise<RestoreScope> {
  return await retryWhenCatalogChanged(attempts, async () => {
    // A lock timeout undoes the savepoint: the tables are free in the pauses, while the run keeps its schema
    return await lockWithRetries(async () => {
      return await tx.savepoint(async (inner) => await tryLockScope(inner, job, manifest, server))
    }, signal)
  })
}

async function tryLockScope (tx: Transaction, job: RestoreJob, manifest: Manifest, server: ServerFacts): Promise<RestoreScope> {
  // TRUNCATE … RESTART IDENTITY keeps readers from a sequence until it commits
  const planned = await withinLockTimeout(tx, async () => await readScope(tx, manifest, job))
  await refuseProblems(tx, planned, job, server)
  await lockPlanned(async () => {
    await lockRelations(tx, planned.toLock, 'ACCESS EXCLUSIVE')
    await withinLockTimeout(tx, async () => {
      await withRoleSettings(tx, server.roleSettings, async () => { await holdSequences(tx, planned.toHold) })
    })
  })
  const locked = await withinLockTimeout(tx, async () => await readScope(tx, manifest, job))
  if (!isLocked(locked, planned)) throw new CatalogChanged()
  await refuseProblems(tx, locked, job, server)
  return locked
}

async function refuseProblems (tx: Transaction, scope: RestoreScope, job: RestoreJob, server: ServerFacts): Promise<void> {
  if (scope.drift.length > 0 && !job.allowSchemaDrift) throw Object.assign(new SchemaDrift(driftSummary(scope.drift)), { drift: scope.drift })
  const problems = await restoreProblems(tx, scope, server, createExclusion(job.excludeTables, job.logTable))
  if (problems.length > 0) throw Object.assign(new CannotRestore(problems.join('; ')), { problems })
}

/** The second plan is the one that is carried out. How it differs from the first means nothing, if all that it touches was locked. */
function isLocked (scope: RestoreScope, planned: RestoreScope): boolean {
  const locked = new Set([...planned.toLock, ...planned.toHold].map(relationIdentity))
  return [...scope.toLock, ...scope.toHold].every((relation) => locked.has(relationIdentity(relation)))
}
