import type { ServerFacts } from '../postgres/catalog/server.ts'
import { countsScans } from '../postgres/catalog/scan-counts.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { nameProblems } from '../backup/lossy-text.ts'
import { managedRowsProblems, outsideChildren } from '../backup/rows-outside.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { tableProblems } from '../backup/select-tables.ts'
import { type RestoreScope, runsUserCode } from './restore-scope.ts'

/**
 * About how many entries of the shared lock table a restored relation needs, including its indexes, its TOAST table
 * and the locks that TRUNCATE adds.
 */
const locksPerRelation = 6

/**
 * Why the restore would fail, found before anything is changed: privileges that the role lacks, and tables whose rows
 * can't be replaced.
 */
export async function restoreProblems (
  tx: Transaction, scope: RestoreScope, server: ServerFacts, isExcluded: (table: TableRef) => boolean
): Promise<string[]> {
  const tables = scope.tables.map(({ table }) => table)
  const lockProblems = await findLockProblems(tx, scope)
  return [...new Set([
    ...replicationRoleProblems(server),
    // A restore first takes the pre_restore snapshot, so it needs everything that a snapshot needs
    ...tableProblems(tables, isExcluded),
    ...await managedRowsProblems(tx, tables, server, await outsideChildren(tx, tables)),
    ...await nameProblems(tx, tables, server),
    ...relationProblems(scope),
    ...sequenceProblems(scope),
    ...constraintProblems(scope),
    ...await orderProblems(tx, scope),
    ...lockProblems
  ])]
}

const replicationRoleProblems = ({ replicationRole }: ServerFacts): string[] => replicationRole === 'origin'
  ? []
  : [`session_replication_role is ${replicationRole} for this role; it must be origin`]

const relationProblems = ({ relations }: RestoreScope): string[] =>
  relations.filter(({ owned }) => !owned).map(({ schema, name }) => `the role does not own ${schema}.${name}`)

function sequenceProblems ({ sequences }: RestoreScope): string[] {
  const problems: string[] = []
  for (const { sequence, state: { lastValue } } of sequences.filter(({ changes }) => changes)) {
    const { schema, name, owned, range: { least, most } } = sequence
    if (!owned) problems.push(`the role does not own the sequence ${schema}.${name}`)
    if (BigInt(lastValue) < BigInt(least) || BigInt(lastValue) > BigInt(most)) {
      problems.push(`the sequence ${schema}.${name} is at ${lastValue} in the snapshot, ` +
        `and its range is now ${least} to ${most}; widen its MINVALUE and MAXVALUE`)
    }
  }
  return problems
}

function constraintProblems ({ foreignKeys, checks }: RestoreScope): string[] {
  const problems: string[] = []
  for (const { name, table, references, disabled, index } of foreignKeys) {
    const from = `${table.schema}.${table.name}`
    const to = `${references.schema}.${references.name}`
    if (!table.owned) problems.push(`the role does not own ${from}, whose foreign key ${name} has to be checked again`)
    if (!references.allowed) {
      problems.push(`the role lacks the REFERENCES privilege on ${to}, for the foreign key ${name}`)
    }
    if (disabled) problems.push(`the foreign key ${name} of ${from} is disabled by DISABLE TRIGGER ALL; enable it`)
    if (index.next !== index.current) {
      problems.push(`the foreign key ${name} of ${from} depends on the unique index ${index.current}, ` +
        `and would depend on ${index.next ?? 'no other'} after it is created again; drop one of the two`)
    }
  }
  for (const { name, of, on } of checks.filter(({ on }) => !on.owned)) {
    const owned = `the ${of.toLowerCase()} ${on.schema}.${on.name}`
    problems.push(`the role does not own ${owned}, whose constraint ${name} is NOT VALID`)
  }
  return problems
}

/** loadInOrder() relies on scan counts. */
async function orderProblems (tx: Transaction, { tables, withUserCode }: RestoreScope): Promise<string[]> {
  const last = tables.filter(({ table }) => runsUserCode(table, withUserCode))
  if (last.length < 2 || await countsScans(tx)) return []
  const names = last.map(({ table }) => table.name).join(', ')
  return [`track_counts is off, and without it a restore can't find out which tables the functions of ${names} read; ` +
    'turn it on']
}

/** How many more locks than those of a restore the server has room for; negative if not even these fit. */
export async function countSpareLocks (
  tx: Transaction, { relations }: Pick<RestoreScope, 'relations'>
): Promise<number> {
  return await lockCapacity(tx) - relations.length * locksPerRelation
}

async function findLockProblems (tx: Transaction, { relations }: RestoreScope): Promise<string[]> {
  const needed = relations.length * locksPerRelation
  const available = await lockCapacity(tx)
  if (needed <= available) return []
  return [`${relations.length} tables and partitions need about ${needed} locks, ` +
    `and the server has room for ${available}; raise max_locks_per_transaction`]
}

/** Manual, 19.12 (max_locks_per_transaction). */
async function lockCapacity (tx: Transaction): Promise<number> {
  const { locks } = await tx.queryRow<{ locks: number }>(`SELECT current_setting('max_locks_per_transaction')::int *
    (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS locks`)
  return locks
}
