import { type CatalogRelation, readTables } from '../postgres/catalog.ts'
import { readUnvalidatedChecks, type UnvalidatedCheck } from '../postgres/checks.ts'
import { readFingerprint } from '../postgres/fingerprint.ts'
import { type ForeignKey, readForeignKeys } from '../postgres/foreign-keys.ts'
import type { Lockable } from '../postgres/locks.ts'
import { type CatalogSequence, readSequences } from '../postgres/sequences.ts'
import { type EnabledTrigger, readEnabledTriggers } from '../postgres/triggers.ts'
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
  /** Those, both ends of each foreign key, and whatever shares an unvalidated check: all that is altered, each once. */
  toLock: Array<Lockable & { oid: string }>
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
  const checks = await readUnvalidatedChecks(tx, oids)
  const sequences = (await readSequences(tx, schema, oids)).filter(({ used }) => used)
  // A referenced table of somebody else's that may not be locked so is left to the foreign key's own locks
  const partners = foreignKeys.flatMap(({ table, references }) => [table, references]).filter(({ lockable }) => lockable)
  const checked = checks.filter((check) => check.of === 'TABLE').map(({ on }) => on)
  const toLock = [...new Map([...relations, ...partners, ...checked].map((relation) => [relation.oid, relation])).values()]
  return {
    ...plan,
    relations,
    toLock,
    sequences,
    foreignKeys,
    triggers: await readEnabledTriggers(tx, oids),
    checks,
    fingerprint: await readFingerprint(tx, [...toLock, ...sequences].map(({ oid }) => oid),
      checks.filter((check) => check.of === 'DOMAIN').map(({ on }) => on.oid), oids)
  }
}
