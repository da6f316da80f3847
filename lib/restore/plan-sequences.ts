import type { CatalogSequence, SequenceState, StoredSequence } from '../postgres/catalog/sequences.ts'
import type { Manifest, ManifestSequence } from '../../types/index.ts'
import type { RestoreTarget } from './restore-scope.ts'

/** What a restore does to a sequence that the snapshot has. */
export interface PlannedSequence {
  sequence: CatalogSequence
  /** Null where it may not be read. */
  now: SequenceState | null
  /** As the snapshot has it. */
  state: SequenceState
  /** Whether it is changed to that. */
  moves: boolean
}

type SequenceTarget = Pick<RestoreTarget, 'schema' | 'tables' | 'allowedSchemas'>

/**
 * A sequence that only the restored tables own or use becomes what it was. One that anything else owns or uses never goes backwards, or the next
 * row of somebody else would get a key that is taken. A restore of a whole schema moves all of its sequences at least forward, also those that
 * the catalog knows no user of. One in another schema is left alone unless that may be touched. Pure.
 */
export function planSequences (sequences: CatalogSequence[], states: StoredSequence[], manifest: Manifest, target: SequenceTarget): PlannedSequence[] {
  const current = new Map(states.map((state) => [state.oid, state]))
  return findConcerned(sequences, manifest, target).map(({ sequence, state }) => {
    const { lastValue, isCalled } = state
    const now = current.get(sequence.oid)
    const isFree = sequence.used && !sequence.shared
    return {
      sequence,
      now: now === undefined ? null : { lastValue: now.lastValue, isCalled: now.isCalled },
      state: { lastValue, isCalled },
      moves: isFree || now === undefined || isAhead(state, now, BigInt(sequence.increment))
    }
  })
}

/** Those that the snapshot has and the restore is about. Pure. */
export function findConcerned (sequences: CatalogSequence[], manifest: Manifest, target: SequenceTarget): Array<{ sequence: CatalogSequence, state: SequenceState }> {
  return sequences.filter((sequence) => !isBarred(sequence, target) && isConcerned(sequence, target)).flatMap((sequence) => {
    const state = storedState(sequence, manifest, target.schema)
    return state === undefined ? [] : [{ sequence, state }]
  })
}

/** Those that the snapshot has and that lie in schemas that the call may not touch. Pure. */
export const findBarred = (sequences: CatalogSequence[], manifest: Manifest, target: SequenceTarget): CatalogSequence[] =>
  sequences.filter((sequence) => isBarred(sequence, target) && storedState(sequence, manifest, target.schema) !== undefined)

/** Of these, the ones that are behind the rows that come back, or that can't be read. Pure. */
export function sequenceWarnings (barred: CatalogSequence[], states: StoredSequence[], manifest: Manifest, target: SequenceTarget): string[] {
  const current = new Map(states.map((state) => [state.oid, state]))
  return barred.flatMap((sequence) => {
    const state = storedState(sequence, manifest, target.schema)
    const now = current.get(sequence.oid)
    if (state === undefined || (now !== undefined && !isAhead(state, now, BigInt(sequence.increment)))) return []
    return [`the sequence ${sequence.schema}.${sequence.name} lies in a schema that may not be named here, so it is not moved to ${state.lastValue}, ` +
      'as the snapshot has it: the next value that it gives may be taken']
  })
}

const isBarred = ({ schema }: CatalogSequence, target: SequenceTarget): boolean =>
  schema !== target.schema && target.allowedSchemas?.includes(schema) === false

function isConcerned ({ schema, used }: CatalogSequence, target: SequenceTarget): boolean {
  return used || (schema === target.schema && target.tables === undefined)
}

/** Compares what nextval() gives next, in the direction in which the sequence counts. */
function isAhead (state: SequenceState, now: SequenceState, increment: bigint): boolean {
  const next = ({ lastValue, isCalled }: SequenceState): bigint => BigInt(lastValue) + (isCalled ? increment : 0n)
  return increment > 0n ? next(state) > next(now) : next(state) < next(now)
}

/**
 * By the column that owns it, since a cloned schema may call its sequences otherwise, or by its name, in the schema that corresponds. In a clone whose
 * columns draw from the sequences of the very schema that was saved, by that schema's name.
 */
function storedState (sequence: CatalogSequence, manifest: Manifest, home: string): ManifestSequence | undefined {
  const isSame = (schema: string | undefined, now: string | null): boolean => schema === undefined ? now === home : now === schema
  const { sequences } = manifest
  const hasName = ({ name, schema }: ManifestSequence): boolean => name === sequence.name && isSame(schema, sequence.schema)
  // A column may own several, and then only names tell them apart
  const owned = sequences.filter(({ ownedBy, ownerSchema }) => ownedBy !== null && ownedBy === sequence.ownedBy && isSame(ownerSchema, sequence.ownerSchema))
  if (owned.length > 1) return owned.find(hasName)
  return owned[0] ?? sequences.find(hasName) ??
    sequences.find(({ name, schema = manifest.schema }) => sequence.shared && name === sequence.name && schema === sequence.schema)
}
