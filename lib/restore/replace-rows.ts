import { RestoreFailed } from '../errors.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { addChecks, dropChecks, validateChecks } from '../postgres/catalog/check-constraints.ts'
import { fingerprintDifference, readFingerprint } from '../postgres/catalog/fingerprint.ts'
import { addForeignKeys, dropForeignKeys } from '../postgres/catalog/foreign-keys.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { lockTimeoutMs } from '../postgres/locks.ts'
import { runInChunks } from '../postgres/run-statements.ts'
import { setSequences } from '../postgres/catalog/sequences.ts'
import { setLocal, withCatalogFirst, withRoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { disableTriggers, enableTriggers } from '../postgres/catalog/triggers.ts'
import { findUnfaithfulTable, unfaithfulText } from '../backup/lossy-text.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { findChangedColumns } from './generated-values.ts'
import { type LoadedValues, loadRows } from './load-rows.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'
import type { RestoreScope } from './restore-scope.ts'
import { truncate } from './truncate.ts'

/**
 * Empties the tables and loads the snapshot into them. What would act on the rows or refuse them is taken away, and put back afterwards: the
 * catalog is compared, so that nothing of it can be missing.
 */
export async function replaceRows (tx: Transaction, scope: RestoreScope, verified: ReadSnapshot, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
  // All that is altered is locked. Whoever else has to be waited for (a function may read any table), has the whole service wait
  await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
  // Before the load: a column that the snapshot lacks draws from there on
  await setSequences(tx, scope.sequences.filter(({ moves }) => moves))
  let values: LoadedValues = new Map()
  await withRoleSettings(tx, server.roleSettings, async () => {
    await disableTriggers(tx, scope.triggers)
    await dropForeignKeys(tx, scope.foreignKeys)
    await dropChecks(tx, scope.checks)
    await truncate(tx, scope.relations, scope.withUserCode)
    values = await loadRows(tx, scope, verified, server, job, hooks)
    // Events that wait for the end of the transaction would block ALTER TABLE
    await tx.run('SET CONSTRAINTS ALL IMMEDIATE')
  })
  const changed = await findUnfaithfulTable(tx, scope.tables.map(({ table }) => table), server)
  if (changed !== undefined) throw new RestoreFailed(`table ${changed} would hold ${unfaithfulText(server)}`)
  await compareGenerated(tx, scope, values, server, job)
  await withRoleSettings(tx, withCatalogFirst(server.roleSettings), async () => { await addChecks(tx, scope.checks) })
  await withRoleSettings(tx, server.roleSettings, async () => {
    await validateChecks(tx, scope.checks)
    await addForeignKeys(tx, scope.foreignKeys)
    await enableTriggers(tx, scope.triggers)
    await alterRowSecurity(tx, scope, 'FORCE')
  })
  const difference = fingerprintDifference(scope.fingerprint, await readFingerprint(tx, scope.fingerprinted))
  if (difference.length > 0) throw new RestoreFailed(`the schema would not have come back as it was: ${difference.join(' / ')}`)
}

/**
 * What a function generates may depend on what it reads. Where the rows do not go back as they were anyway, other values are no surprise; with
 * allowSchemaDrift they are told as drift.
 */
async function compareGenerated (tx: Transaction, { drift }: RestoreScope, values: LoadedValues, { roleSettings }: ServerFacts, { allowModified, allowSchemaDrift }: RestoreJob): Promise<void> {
  if (allowModified) return
  const drifted = new Set(drift.map(({ table }) => table))
  for (const [target, expected] of values) {
    const { name } = target.table
    if (drifted.has(name)) continue
    const changed = await findChangedColumns(tx, target, expected, roleSettings)
    if (changed.length > 0 && !allowSchemaDrift) {
      throw new RestoreFailed(`the generated column ${changed.join(', ')} of table ${name} would have other values than in the snapshot, because its function ` +
        'gives others by now; see what it reads, or accept its values with allowSchemaDrift')
    }
    drift.push(...changed.map((column) => ({ table: name, column, problem: 'is generated, and has other values than in the snapshot' })))
  }
}

/** The owner is subject to FORCEd row security: it could neither copy such a table nor check foreign keys against all of its rows. */
export async function alterRowSecurity (tx: Transaction, { relations, foreignKeys }: RestoreScope, action: 'FORCE' | 'NO FORCE'): Promise<void> {
  const forced = [...relations, ...foreignKeys.flatMap(({ table, references }) => [table, references])]
    .filter((relation) => relation.owned && relation.forcesRowSecurity)
  const tables = new Set(forced.map(({ schema, name }) => qualifiedName(schema, name)))
  await runInChunks(tx, [...tables].map((table) => `ALTER TABLE ONLY ${table} ${action} ROW LEVEL SECURITY`))
}
