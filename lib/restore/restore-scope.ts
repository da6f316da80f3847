import { type CatalogRelation, readTables, type ServerFacts } from '../postgres/catalog.ts'
import { type ForeignKey, readForeignKeys } from '../postgres/foreign-keys.ts'
import { readFingerprint } from '../postgres/fingerprint.ts'
import { type CatalogSequence, readSequences } from '../postgres/sequences.ts'
import { type EnabledTrigger, readEnabledTriggers } from '../postgres/triggers.ts'
import { readUnvalidatedChecks, type UnvalidatedCheck } from '../postgres/checks.ts'
import type { Transaction } from '../postgres/transaction.ts'
import { createExclusion, type TableRef } from '../snapshot/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import { planRestore, type PlannedRestore } from './restore-plan.ts'

/** Plain data: which rows go where. */
export interface RestoreTarget { schema: string, tables: string[] | undefined, excludeTables: string[], logTable: TableRef }

/** Everything that a restore touches, as the catalog has it at one moment. */
export interface RestoreScope extends PlannedRestore {
  /** The restored tables and all their partitions. */
  relations: CatalogRelation[]
  /** Those that belong to the restored tables: the others are none of its business. */
  sequences: CatalogSequence[]
  foreignKeys: ForeignKey[]
  triggers: EnabledTrigger[]
  checks: UnvalidatedCheck[]
  fingerprint: string[]
}

export async function readScope (tx: Transaction, manifest: Manifest, { schema, tables: wanted, excludeTables, logTable }: RestoreTarget): Promise<RestoreScope> {
  const plan = planRestore(manifest, await readTables(tx, schema), schema, wanted, createExclusion(excludeTables, logTable))
  const relations = plan.tables.flatMap(({ table }) => table.relations)
  const oids = relations.map(({ oid }) => oid)
  const foreignKeys = await readForeignKeys(tx, oids)
  const sequences = (await readSequences(tx, schema, oids)).filter(({ used }) => used)
  const partners = foreignKeys.flatMap(({ table, references }) => [table.oid, references.oid])
  return {
    ...plan,
    relations,
    sequences,
    foreignKeys,
    triggers: await readEnabledTriggers(tx, oids),
    checks: await readUnvalidatedChecks(tx, oids),
    fingerprint: await readFingerprint(tx, [...new Set([...oids, ...partners, ...sequences.map(({ oid }) => oid)])])
  }
}

/** About as many entries of the shared lock table as a restored relation takes, with its indexes, its TOAST table and what TRUNCATE adds. */
const locksPerRelation = 6

/** Why the restore can't go ahead, found before anything is touched: rights that the role lacks, tables that can't be replaced. */
export async function restoreProblems (tx: Transaction, scope: RestoreScope, { replicationRole }: ServerFacts, isExcluded: (table: TableRef) => boolean): Promise<string[]> {
  const problems: string[] = []
  if (replicationRole !== 'origin') problems.push(`session_replication_role is ${replicationRole} for this role; it must be origin`)
  for (const { table } of scope.tables) {
    for (const [index, relation] of table.relations.entries()) {
      const name = `${relation.schema}.${relation.name}`
      if (relation.kind === 'f') problems.push(`${name} is a foreign table and a partition of ${table.name}`)
      else if (!relation.owned) problems.push(`the role does not own ${name}`)
      if (index > 0 && isExcluded(relation)) problems.push(`${name} is a partition of ${table.name} and can not be excluded by itself`)
    }
  }
  for (const { schema, name, owned } of scope.sequences) {
    if (!owned) problems.push(`the role does not own the sequence ${schema}.${name}`)
  }
  for (const { name, table, references } of scope.foreignKeys) {
    if (!table.owned) problems.push(`the role does not own ${table.schema}.${table.name}, whose foreign key ${name} has to be checked again`)
    if (!references.allowed) problems.push(`the role has no REFERENCES right on ${references.schema}.${references.name}, for the foreign key ${name}`)
  }
  const needed = scope.relations.length * locksPerRelation
  const available = await lockCapacity(tx)
  if (needed > available) problems.push(`${scope.relations.length} tables and partitions need about ${needed} locks, and the server has room for ${available}; raise max_locks_per_transaction`)
  return problems
}

/** Manual, 19.12 (max_locks_per_transaction). */
async function lockCapacity (tx: Transaction): Promise<number> {
  const [row] = await tx.query<{ locks: number }>(`SELECT current_setting('max_locks_per_transaction')::int *
    (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS locks`)
  return row?.locks ?? 0
}
