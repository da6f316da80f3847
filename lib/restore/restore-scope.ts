import { type CatalogRelation, type CatalogTable, readTables } from '../postgres/catalog/tables.ts'
import { readSuspendedChecks, type SuspendedCheck } from '../postgres/catalog/check-constraints.ts'
import type { Fingerprinted } from '../postgres/catalog/fingerprint.ts'
import { type ForeignKey, readForeignKeys } from '../postgres/catalog/foreign-keys.ts'
import { type CatalogSequence, readSequences, readSequenceStates } from '../postgres/catalog/sequences.ts'
import { type EnabledTrigger, readEnabledTriggers } from '../postgres/catalog/triggers.ts'
import { readRelationsWithUserCode, type RelationWithUserCode } from '../postgres/catalog/user-code.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import { findRestored, type PlannedSequence, planSequences } from './plan-sequences.ts'
import { planTables, type PlannedRestore, type TableToRestore } from './restore-plan.ts'

/** Plain data: which tables of which schema are restored. */
export interface RestoreTarget {
  schema: string
  tables: string[] | undefined
  excludeTables: string[]
  logTable: TableRef
  /** The schemas whose sequences the call may change; null for any. */
  allowedSchemas: string[] | null
}

/** Everything that a restore reads or changes, as it is in the catalog at one moment. */
export interface RestoreScope extends PlannedRestore {
  /** The restored tables and all their partitions. */
  relations: CatalogRelation[]
  /**
   * `relations`, both ends of each foreign key, and the other tables with a suspended check: every relation that is
   * altered, once.
   */
  toLock: Array<TableRef & { oid: string }>
  /** The sequences that a snapshot of the restored tables records. */
  recordedSequences: CatalogSequence[]
  /** What the restore does to sequences. */
  sequences: PlannedSequence[]
  /** The sequences that are changed. */
  sequencesToLock: CatalogSequence[]
  foreignKeys: ForeignKey[]
  triggers: EnabledTrigger[]
  checks: SuspendedCheck[]
  /** Oids of the relations that run user code for each new row. */
  withUserCode: Set<string>
  fingerprinted: Fingerprinted
}

/** What a restore carries out, under its locks. */
export interface LockedScope extends RestoreScope {
  /** Before any change; see readFingerprint(). */
  fingerprint: string[]
}

/** A column's default runs only where the snapshot has no value for that column. */
function findRelationsWithUserCode (tables: TableToRestore[], found: RelationWithUserCode[]): Set<string> {
  const loaded = new Map(tables.flatMap(({ table, columns }) =>
    table.relations.map(({ oid }) => [oid, columns] as const)))
  const running = found.filter(({ oid, defaultOf }) =>
    defaultOf === null || loaded.get(oid)?.includes(defaultOf) === false)
  return new Set(running.map(({ oid }) => oid))
}

/** Whether the table, or one of its partitions, runs user code for each new row. */
export const runsUserCode = ({ relations }: CatalogTable, withUserCode: Set<string>): boolean =>
  relations.some(({ oid }) => withUserCode.has(oid))

export async function readScope (tx: Transaction, manifest: Manifest, target: RestoreTarget): Promise<RestoreScope> {
  const { schema, tables: wanted, excludeTables, logTable } = target
  const isExcluded = createExclusion(excludeTables, logTable)
  const plan = planTables(manifest, await readTables(tx, schema), schema, wanted, isExcluded)
  const relations = plan.tables.flatMap(({ table }) => table.relations)
  const oids = relations.map(({ oid }) => oid)
  const foreignKeys = await readForeignKeys(tx, oids)
  const checks = await readSuspendedChecks(tx, oids)
  const { recordedSequences, sequences } = await readPlannedSequences(tx, oids, manifest, target)
  const toLock = relationsToLock(relations, foreignKeys, checks)
  const fingerprinted = {
    relations: [...toLock, ...sequences.map(({ sequence }) => sequence)].map(({ oid }) => oid),
    domains: checks.filter((check) => check.of === 'DOMAIN').map(({ on }) => on.oid),
    restored: oids
  }
  return {
    ...plan,
    relations,
    toLock,
    recordedSequences,
    sequences,
    sequencesToLock: sequences.filter(({ changes }) => changes).map(({ sequence }) => sequence),
    foreignKeys,
    triggers: await readEnabledTriggers(tx, oids),
    checks,
    withUserCode: findRelationsWithUserCode(plan.tables, await readRelationsWithUserCode(tx, oids)),
    fingerprinted
  }
}

async function readPlannedSequences (
  tx: Transaction, relations: string[], manifest: Manifest, target: RestoreTarget
): Promise<Pick<RestoreScope, 'recordedSequences' | 'sequences'>> {
  const found = await readSequences(tx, target.schema, relations)
  const recordedSequences = found.filter(({ used }) => used || target.tables === undefined)
  const restored = findRestored(recordedSequences, manifest, target).map(({ sequence }) => sequence)
  const states = await readSequenceStates(tx, restored.filter(({ readable }) => readable))
  return { recordedSequences, sequences: planSequences(recordedSequences, states, manifest, target) }
}

/**
 * A referenced table of another owner, which the role has no privilege to lock in this mode, is left to the locks that
 * PostgreSQL takes to create the foreign key.
 */
function relationsToLock (
  relations: CatalogRelation[], foreignKeys: ForeignKey[], checks: SuspendedCheck[]
): RestoreScope['toLock'] {
  const related = foreignKeys.flatMap(({ table, references }) => [table, references]).filter(({ lockable }) => lockable)
  const checked = checks.filter((check) => check.of === 'TABLE').map(({ on }) => on)
  return [...new Map([...relations, ...related, ...checked].map((relation) => [relation.oid, relation])).values()]
}
