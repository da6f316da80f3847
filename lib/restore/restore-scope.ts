import { type CatalogRelation, type CatalogTable, readTables } from '../postgres/catalog/tables.ts'
import { readSuspendedChecks, type SuspendedCheck } from '../postgres/catalog/check-constraints.ts'
import { type Fingerprinted, readFingerprint } from '../postgres/catalog/fingerprint.ts'
import { type ForeignKey, readForeignKeys } from '../postgres/catalog/foreign-keys.ts'
import { type CatalogSequence, readSequences, readSequenceStates } from '../postgres/catalog/sequences.ts'
import { type EnabledTrigger, readEnabledTriggers } from '../postgres/catalog/triggers.ts'
import { readRelationsWithUserCode, type RelationWithUserCode } from '../postgres/catalog/user-code.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { createExclusion } from '../backup/select-tables.ts'
import type { Manifest } from '../../types/index.ts'
import { findConcerned, type PlannedSequence, planSequences } from './plan-sequences.ts'
import { planRestore, type PlannedRestore, type TableToRestore } from './restore-plan.ts'

/** Plain data: which rows go where. */
export interface RestoreTarget {
  schema: string
  tables: string[] | undefined
  excludeTables: string[]
  logTable: TableRef
  /** The schemas whose sequences may be changed; null for any. */
  allowedSchemas: string[] | null
}

/** Everything that a restore touches, as the catalog has it at one moment. */
export interface RestoreScope extends PlannedRestore {
  /** The restored tables and all their partitions. */
  relations: CatalogRelation[]
  /** Those, both ends of each foreign key, and whatever shares a suspended check: all that is altered, each once. */
  toLock: Array<TableRef & { oid: string }>
  /** What a snapshot of the restored tables records. */
  recordedSequences: CatalogSequence[]
  /** What happens to sequences. */
  sequences: PlannedSequence[]
  /** Those of them that are changed. */
  toHold: CatalogSequence[]
  foreignKeys: ForeignKey[]
  triggers: EnabledTrigger[]
  checks: SuspendedCheck[]
  /** Oids of the relations that run user code for each new row. */
  withUserCode: Set<string>
  fingerprinted: Fingerprinted
  fingerprint: string[]
}

/** A default matters where the snapshot has no value. */
function findRelationsWithUserCode (tables: TableToRestore[], found: RelationWithUserCode[]): Set<string> {
  const columns = new Map(tables.flatMap(({ table, columns }) => table.relations.map(({ oid }) => [oid, columns] as const)))
  return new Set(found.filter(({ oid, defaultOf }) => defaultOf === null || columns.get(oid)?.includes(defaultOf) === false).map(({ oid }) => oid))
}

/** Whether the table, or one of its partitions, is among those relations. */
export const runsUserCode = ({ relations }: CatalogTable, withUserCode: Set<string>): boolean => relations.some(({ oid }) => withUserCode.has(oid))

export async function readScope (tx: Transaction, manifest: Manifest, target: RestoreTarget): Promise<RestoreScope> {
  const { schema, tables: wanted, excludeTables, logTable } = target
  const plan = planRestore(manifest, await readTables(tx, schema), schema, wanted, createExclusion(excludeTables, logTable))
  const relations = plan.tables.flatMap(({ table }) => table.relations)
  const oids = relations.map(({ oid }) => oid)
  const foreignKeys = await readForeignKeys(tx, oids)
  const checks = await readSuspendedChecks(tx, oids)
  const recordedSequences = (await readSequences(tx, schema, oids)).filter(({ used }) => used || wanted === undefined)
  const states = await readSequenceStates(tx, findConcerned(recordedSequences, manifest, target).map(({ sequence }) => sequence).filter(({ readable }) => readable))
  const sequences = planSequences(recordedSequences, states, manifest, target)
  // A referenced table of somebody else's that may not be locked so is left to the foreign key's own locks
  const partners = foreignKeys.flatMap(({ table, references }) => [table, references]).filter(({ lockable }) => lockable)
  const checked = checks.filter((check) => check.of === 'TABLE').map(({ on }) => on)
  const toLock = [...new Map([...relations, ...partners, ...checked].map((relation) => [relation.oid, relation])).values()]
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
    toHold: sequences.filter(({ moves }) => moves).map(({ sequence }) => sequence),
    foreignKeys,
    triggers: await readEnabledTriggers(tx, oids),
    checks,
    withUserCode: findRelationsWithUserCode(plan.tables, await readRelationsWithUserCode(tx, oids)),
    fingerprinted,
    fingerprint: await readFingerprint(tx, fingerprinted)
  }
}
