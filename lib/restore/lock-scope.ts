import { CannotRestore, CatalogUnstable, SchemaDrift } from '../errors.ts'
import type { ServerFacts } from '../postgres/catalog.ts'
import { isVanished } from '../postgres/database-error.ts'
import { lockRelations, lockWithRetries, relationIdentity, withinLockTimeout } from '../postgres/locks.ts'
import { holdSequences } from '../postgres/sequences.ts'
import { withRoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/transaction.ts'
import { createExclusion } from '../snapshot/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import type { RestoreJob } from './restore-job.ts'
import { driftSummary } from './restore-plan.ts'
import { restoreProblems } from './restore-problems.ts'
import { readScope, type RestoreScope } from './restore-scope.ts'

/** The catalog changed between planning and locking: again, from the plan. */
class CatalogChanged extends Error {}

const attempts = 5

/**
 * Plans, locks, and plans again: only what was locked is acted upon.
 *
 * The tables are locked once, in one statement, both ends of every foreign key, in the strongest mode: a weaker lock raised later
 * deadlocks. The sequences come after them, since others lock a table first and its sequence then.
 */
export async function lockScope (tx: Transaction, job: RestoreJob, manifest: Manifest, server: ServerFacts, signal: AbortSignal): Promise<RestoreScope> {
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
  // TRUNCATE … RESTART IDENTITY keeps readers from a sequence until it commits
  const planned = await withinLockTimeout(tx, async () => await readScope(tx, manifest, job))
  await refuseProblems(tx, planned, job, server)
  try {
    await lockRelations(tx, planned.toLock, 'ACCESS EXCLUSIVE')
    await withinLockTimeout(tx, async () => {
      await withRoleSettings(tx, server.roleSettings, async () => { await holdSequences(tx, planned.toHold) })
    })
  } catch (error) {
    throw isVanished(error) ? new CatalogChanged() : error
  }
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
