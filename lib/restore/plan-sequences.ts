import type { CatalogSequence, SequenceState, StoredSequence } from '../postgres/catalog/sequences.ts'
import type { Manifest, ManifestSequence } from '../../types/index.ts'
import type { RestoreTarget } from './restore-scope.ts'

/** What a restore does to a sequence that the snapshot contains. */
export interface PlannedSequence {
  sequence: CatalogSequence
  /** Its current state; null if the role may not read it. */
  now: SequenceState | null
  /** Its state in the snapshot. */
  state: SequenceState
  /** Whether the restore sets it to the state in the snapshot. */
  changes: boolean
}

type SequenceTarget = Pick<RestoreTarget, 'schema' | 'tables' | 'allowedSchemas'>

/**
 * A sequence that only the restored tables own or use gets its state in the snapshot back. A sequence that anything
 * else owns or uses never goes backwards, because it could then generate keys that already exist in other tables. A
 * restore of a whole schema also moves those of its sequences forward that nothing in the catalog uses. A sequence in
 * another schema is changed only if the call may change that schema. Pure.
 */
export function planSequences (
  sequences: CatalogSequence[], states: StoredSequence[], manifest: Manifest, target: SequenceTarget
): PlannedSequence[] {
  const current = new Map(states.map((state) => [state.oid, state]))
  return findRestored(sequences, manifest, target).map(({ sequence, state }) => {
    const { lastValue, isCalled } = state
    const now = current.get(sequence.oid)
    const mayGoBack = sequence.used && !sequence.shared
    return {
      sequence,
      now: now === undefined ? null : { lastValue: now.lastValue, isCalled: now.isCalled },
      state: { lastValue, isCalled },
      changes: mayGoBack || now === undefined || isAhead(state, now, BigInt(sequence.increment))
    }
  })
}

/** The sequences that the snapshot contains and that belong to the restore, with their state in the snapshot. Pure. */
export function findRestored (
  sequences: CatalogSequence[], manifest: Manifest, target: SequenceTarget
): Array<{ sequence: CatalogSequence, state: SequenceState }> {
  return sequences.flatMap((sequence) => {
    if (!isAllowed(sequence, target) || !belongsToRestore(sequence, target)) return []
    const state = storedState(sequence, manifest, target.schema)
    return state === undefined ? [] : [{ sequence, state }]
  })
}

/** The sequences that the snapshot contains, in schemas that the call may not change. Pure. */
export const findDisallowed = (
  sequences: CatalogSequence[], manifest: Manifest, target: SequenceTarget
): CatalogSequence[] => sequences.filter((sequence) =>
  !isAllowed(sequence, target) && storedState(sequence, manifest, target.schema) !== undefined)

/** Warns of those sequences whose next value may exist in the restored rows, or that can't be read. Pure. */
export function sequenceWarnings (
  disallowed: CatalogSequence[], states: StoredSequence[], manifest: Manifest, target: SequenceTarget
): string[] {
  const current = new Map(states.map((state) => [state.oid, state]))
  return disallowed.flatMap((sequence) => {
    const state = storedState(sequence, manifest, target.schema)
    const now = current.get(sequence.oid)
    if (state === undefined || (now !== undefined && !isAhead(state, now, BigInt(sequence.increment)))) return []
    return [`the sequence ${sequence.schema}.${sequence.name} is in a schema that this service may not change, ` +
      `so it is not set to ${state.lastValue} as in the snapshot; ` +
      'its next value may already exist in the restored rows']
  })
}

const isAllowed = ({ schema }: CatalogSequence, { schema: restored, allowedSchemas }: SequenceTarget): boolean =>
  schema === restored || allowedSchemas === null || allowedSchemas.includes(schema)

const belongsToRestore = ({ schema, used }: CatalogSequence, target: SequenceTarget): boolean =>
  used || (schema === target.schema && target.tables === undefined)

/** Compares what nextval() would return, in the direction in which the sequence counts. */
function isAhead (state: SequenceState, now: SequenceState, increment: bigint): boolean {
  const next = ({ lastValue, isCalled }: SequenceState): bigint => BigInt(lastValue) + (isCalled ? increment : 0n)
  return increment > 0n ? next(state) > next(now) : next(state) < next(now)
}

/**
 * Finds a sequence in the manifest by the column that owns it, because the sequences of a cloned schema may have other
 * names. Otherwise by its name, in the schema that corresponds. If the columns of a clone use sequences of the schema
 * that was saved, by the name of that schema.
 */
function storedState (sequence: CatalogSequence, manifest: Manifest, restored: string): ManifestSequence | undefined {
  // The manifest omits the name of the schema that was saved
  const corresponds = (schema: string | undefined, now: string | null): boolean => now === (schema ?? restored)
  const hasName = ({ name, schema }: ManifestSequence): boolean =>
    name === sequence.name && corresponds(schema, sequence.schema)
  const hasOwner = ({ ownedBy, ownerSchema }: ManifestSequence): boolean =>
    ownedBy !== null && ownedBy === sequence.ownedBy && corresponds(ownerSchema, sequence.ownerSchema)
  const { sequences } = manifest
  const owned = sequences.filter(hasOwner)
  // A column may own several sequences, which then differ only in their names
  if (owned.length > 1) return owned.find(hasName)
  return owned[0] ?? sequences.find(hasName) ??
    sequences.find(({ name, schema = manifest.schema }) =>
      sequence.shared && name === sequence.name && schema === sequence.schema)
}
