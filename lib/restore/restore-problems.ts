import type { ServerFacts } from '../postgres/catalog/server.ts'
import { countsScans } from '../postgres/catalog/scan-counts.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { nameProblems } from '../backup/lossy-text.ts'
import { elsewhereProblems } from '../backup/rows-outside.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { tableProblems } from '../backup/select-tables.ts'
import { type RestoreScope, runsUserCode } from './restore-scope.ts'

/** About as many entries of the shared lock table as a restored relation takes, with its indexes, its TOAST table and what TRUNCATE adds. */
const locksPerRelation = 6

/** Why the restore can't go ahead, found before anything is touched: rights that the role lacks, tables that can't be replaced. */
export async function restoreProblems (tx: Transaction, scope: RestoreScope, server: ServerFacts, isExcluded: (table: TableRef) => boolean): Promise<string[]> {
  const needed = scope.relations.length * locksPerRelation
  const available = await lockCapacity(tx)
  const tables = scope.tables.map(({ table }) => table)
  const { replicationRole } = server
  return [...new Set([
    ...replicationRole === 'origin' ? [] : [`session_replication_role is ${replicationRole} for this role; it must be origin`],
    // What a snapshot needs, pre_restore's too
    ...tableProblems(tables, isExcluded),
    ...await elsewhereProblems(tx, tables, server),
    ...await nameProblems(tx, tables, server),
    ...relationProblems(scope),
    ...sequenceProblems(scope),
    ...constraintProblems(scope),
    ...await orderProblems(tx, scope),
    ...needed > available ? [`${scope.relations.length} tables and partitions need about ${needed} locks, and the server has room for ${available}; raise max_locks_per_transaction`] : []
  ])]
}

const relationProblems = ({ relations }: RestoreScope): string[] =>
  relations.filter(({ owned }) => !owned).map(({ schema, name }) => `the role does not own ${schema}.${name}`)

function sequenceProblems ({ sequences }: RestoreScope): string[] {
  const problems: string[] = []
  for (const { sequence: { schema, name, owned, range: { least, most } }, state: { lastValue } } of sequences.filter(({ moves }) => moves)) {
    if (!owned) problems.push(`the role does not own the sequence ${schema}.${name}`)
    if (BigInt(lastValue) < BigInt(least) || BigInt(lastValue) > BigInt(most)) {
      problems.push(`the sequence ${schema}.${name} is at ${lastValue} in the snapshot, and goes from ${least} to ${most} now; widen its MINVALUE and MAXVALUE`)
    }
  }
  return problems
}

function constraintProblems ({ foreignKeys, checks }: RestoreScope): string[] {
  const problems: string[] = []
  for (const { name, table, references, disabled, index } of foreignKeys) {
    if (!table.owned) problems.push(`the role does not own ${table.schema}.${table.name}, whose foreign key ${name} has to be checked again`)
    if (!references.allowed) problems.push(`the role has no REFERENCES right on ${references.schema}.${references.name}, for the foreign key ${name}`)
    if (disabled) problems.push(`the foreign key ${name} of ${table.schema}.${table.name} is switched off by DISABLE TRIGGER ALL; switch it on`)
    if (index.next !== index.current) {
      problems.push(`the foreign key ${name} of ${table.schema}.${table.name} relies on the unique index ` +
        `${index.current}, and would rely on ${index.next ?? 'no other'} when it is made again; drop one of the two`)
    }
  }
  for (const { name, of, on } of checks) {
    if (!on.owned) problems.push(`the role does not own the ${of.toLowerCase()} ${on.schema}.${on.name}, whose constraint ${name} is NOT VALID`)
  }
  return problems
}

/** See loadInOrder(). */
async function orderProblems (tx: Transaction, { tables, withUserCode }: RestoreScope): Promise<string[]> {
  const last = tables.filter(({ table }) => runsUserCode(table, withUserCode))
  return last.length < 2 || await countsScans(tx)
    ? []
    : [`track_counts is off, and without it nobody can see which tables the functions of ${last.map(({ table }) => table.name).join(', ')} read; switch it on`]
}

/** Manual, 19.12 (max_locks_per_transaction). */
async function lockCapacity (tx: Transaction): Promise<number> {
  const { locks } = await tx.queryRow<{ locks: number }>(`SELECT current_setting('max_locks_per_transaction')::int *
    (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS locks`)
  return locks
}
