import { CannotRestore, SchemaDrift } from '../errors.ts'
import { CatalogChanged, lockPlanned, retryWhenCatalogChanged } from '../postgres/catalog/catalog-changed.ts'
import { lockRelations, lockWithRetries, relationIdentity, withinLockTimeout } from '../postgres/locks.ts'
import { readFingerprint } from '../postgres/catalog/fingerprint.ts'
import { lockSequences } from '../postgres/catalog/sequences.ts'
import { withRoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import type { RestoreContext } from './restore-job.ts'
import { driftSummary } from './restore-plan.ts'
import { restoreProblems } from './restore-problems.ts'
import { type LockedScope, readScope, type RestoreScope } from './restore-scope.ts'

const attempts = 5

/**
 * Plans, takes the locks, and plans again under them: the restore carries out the second plan, and changes only what
 * is locked.
 *
 * One statement locks all tables, including those at the other end of each foreign key, and takes the strongest mode
 * at once: a transaction that raises a weaker lock later can deadlock. The sequences follow the tables, because
 * applications lock a table first and then its sequence.
 * @returns also how long the planning took, in milliseconds; the rest of the time was for the locks
 */
export async function lockScope (
  tx: Transaction, manifest: Manifest, context: RestoreContext
): Promise<{ scope: LockedScope, planMs: number }> {
  let planMs = 0
  async function timed<T> (plan: () => Promise<T>): Promise<T> {
    const start = performance.now()
    return await plan().finally(() => { planMs += performance.now() - start })
  }
  const scope = await retryWhenCatalogChanged(attempts, async () => {
    // After a lock timeout, the rollback to the savepoint frees the tables during the pause; the lock on the schema
    // remains
    return await lockWithRetries(async () => {
      return await tx.savepoint(async (inner) => await tryLockScope(inner, manifest, context, timed))
    }, context.hooks.signal)
  })
  return { scope, planMs }
}

async function tryLockScope (
  tx: Transaction, manifest: Manifest, context: RestoreContext, timed: <T>(plan: () => Promise<T>) => Promise<T>
): Promise<LockedScope> {
  const { server, job } = context
  // Reading the sequences may wait: TRUNCATE … RESTART IDENTITY locks the sequences against readers until it commits
  const timedWithinLockTimeout = async <T>(read: () => Promise<T>): Promise<T> =>
    await timed(async () => await withinLockTimeout(tx, read))
  const read = async (): Promise<RestoreScope> =>
    await timedWithinLockTimeout(async () => await readScope(tx, manifest, job))
  const refuse = async (scope: RestoreScope): Promise<void> => {
    await timed(async () => { await refuseProblems(tx, scope, context) })
  }
  const planned = await read()
  await refuse(planned)
  await lockPlanned(async () => {
    await lockRelations(tx, planned.toLock, 'ACCESS EXCLUSIVE')
    await withinLockTimeout(tx, async () => {
      await withRoleSettings(tx, server.roleSettings, async () => { await lockSequences(tx, planned.sequencesToLock) })
    })
  })
  const locked = await read()
  if (!isLocked(locked, planned)) throw new CatalogChanged()
  await refuse(locked)
  // Only now: reading it takes as long as reading the keys, and the first plan is not carried out
  const fingerprint = await timedWithinLockTimeout(async () => await readFingerprint(tx, locked.fingerprinted))
  return { ...locked, fingerprint }
}

/** Throws FST_BACKUP_SCHEMA_DRIFT or FST_BACKUP_CANNOT_RESTORE. */
async function refuseProblems (tx: Transaction, scope: RestoreScope, { server, job }: RestoreContext): Promise<void> {
  if (scope.drift.length > 0 && !job.allowSchemaDrift) {
    throw Object.assign(new SchemaDrift(driftSummary(scope.drift)), { drift: scope.drift })
  }
  const problems = await restoreProblems(tx, scope, server, createExclusion(job.excludeTables, job.logTable))
  if (problems.length > 0) throw Object.assign(new CannotRestore(problems.join('; ')), { problems })
}

/**
 * Other differences between the two plans do not matter as long as everything that the second one changes is locked.
 */
function isLocked (scope: RestoreScope, planned: RestoreScope): boolean {
  const locked = new Set([...planned.toLock, ...planned.sequencesToLock].map(relationIdentity))
  return [...scope.toLock, ...scope.sequencesToLock].every((relation) => locked.has(relationIdentity(relation)))
}
