import { RestoreFailed } from '../errors.ts'
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
import { findLossyTable, describeLossyText } from '../backup/lossy-text.ts'
import { findChangedColumns } from './generated-values.ts'
import { type LoadedValues, prepareLoad } from './load-rows.ts'
import { recreateIndexes, suspendIndexes } from './rebuild-indexes.ts'
import type { RestoreContext } from './restore-job.ts'
import type { LockedScope, RestoreScope } from './restore-scope.ts'
import { truncate } from './truncate.ts'

/**
 * Empties the tables and loads the snapshot into them. Triggers are disabled meanwhile. Foreign keys, NOT VALID
 * constraints and checks that run user code are dropped, since they would change rows or reject them. Afterwards all
 * are restored, and a comparison of the catalog shows that nothing is missing.
 */
export async function replaceRows (tx: Transaction, scope: LockedScope, context: RestoreContext): Promise<void> {
  const { server } = context
  // All tables that are changed are locked. A function may read any other table, and a wait for its lock would block
  // the service
  await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
  // Before the load: the default of a column that the snapshot lacks may call nextval()
  await setSequences(tx, scope.sequences.filter(({ changes }) => changes))
  const { loadPlain, loadWithUserCode, values } = prepareLoad(scope, context)
  await withRoleSettings(tx, server.roleSettings, async () => {
    await disableTriggers(tx, scope.triggers)
    await dropForeignKeys(tx, scope.foreignKeys)
    await dropChecks(tx, scope.checks)
    await truncate(tx, scope.relations, scope.withUserCode)
  })
  const indexes = await suspendIndexes(tx, scope)
  await withRoleSettings(tx, server.roleSettings, async () => { await loadPlain(tx) })
  await recreateIndexes(tx, indexes, server.roleSettings)
  await withRoleSettings(tx, server.roleSettings, async () => {
    await loadWithUserCode(tx)
    // ALTER TABLE fails while a table has pending trigger events
    await tx.run('SET CONSTRAINTS ALL IMMEDIATE')
  })
  const changed = await findLossyTable(tx, scope.tables.map(({ table }) => table), server)
  if (changed !== undefined) throw new RestoreFailed(`table ${changed} would contain ${describeLossyText(server)}`)
  await compareGenerated(tx, scope, values, context)
  await withRoleSettings(tx, withCatalogFirst(server.roleSettings), async () => { await addChecks(tx, scope.checks) })
  await withRoleSettings(tx, server.roleSettings, async () => {
    await validateChecks(tx, scope.checks)
    await addForeignKeys(tx, scope.foreignKeys)
    await enableTriggers(tx, scope.triggers)
    await alterRowSecurity(tx, scope, 'FORCE')
  })
  const difference = fingerprintDifference(scope.fingerprint, await readFingerprint(tx, scope.fingerprinted))
  if (difference.length > 0) {
    throw new RestoreFailed(`the restore would change the schema itself: ${difference.join(' / ')}`)
  }
}

/**
 * The value that a function generates may depend on other rows that it reads. A table with drift is not compared,
 * because its rows differ from the snapshot anyway. With allowSchemaDrift, changed values are reported as drift.
 */
async function compareGenerated (
  tx: Transaction, { drift }: RestoreScope, values: LoadedValues, { server, job }: RestoreContext
): Promise<void> {
  if (job.allowModified) return
  const drifted = new Set(drift.map(({ table }) => table))
  for (const [target, expected] of values) {
    const { name } = target.table
    if (drifted.has(name)) continue
    const changed = await findChangedColumns(tx, target, expected, server.roleSettings)
    if (changed.length > 0 && !job.allowSchemaDrift) {
      const columns = `the generated column ${changed.join(', ')} of table ${name}`
      throw new RestoreFailed(`${columns} would have other values than in the snapshot, because its function now ` +
        'returns different ones; check the tables that it reads, or accept the new values with allowSchemaDrift')
    }
    const problem = 'is generated, and has other values than in the snapshot'
    drift.push(...changed.map((column) => ({ table: name, column, problem })))
  }
}

/**
 * FORCE ROW LEVEL SECURITY subjects the owner to the policies: it could neither copy such a table nor check foreign
 * keys against all rows of it.
 */
export async function alterRowSecurity (
  tx: Transaction, { relations, foreignKeys }: RestoreScope, action: 'FORCE' | 'NO FORCE'
): Promise<void> {
  const forced = [...relations, ...foreignKeys.flatMap(({ table, references }) => [table, references])]
    .filter((relation) => relation.owned && relation.forcesRowSecurity)
  const tables = new Set(forced.map(({ schema, name }) => qualifiedName(schema, name)))
  await runInChunks(tx, [...tables].map((table) => `ALTER TABLE ONLY ${table} ${action} ROW LEVEL SECURITY`))
}
