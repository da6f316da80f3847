import { CannotSnapshot } from '../errors.ts'
import { type CatalogSequence, readSequenceStates } from '../postgres/catalog/sequences.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { Manifest } from '../../types/index.ts'
import { missingPrivilege } from './select-tables.ts'

/**
 * Reads the sequences for the manifest. It waits for sessions that have locked one, for TRUNCATE … RESTART IDENTITY for
 * example, so set a lock_timeout.
 * @throws FST_BACKUP_CANNOT_SNAPSHOT
 */
export async function describeSequences (
  tx: Transaction, sequences: CatalogSequence[], ownSchema: string
): Promise<Manifest['sequences']> {
  const problems = sequences.filter(({ used, readable }) => used && !readable)
    .map((sequence) => `the role lacks ${missingOn(sequence)}`)
  if (problems.length > 0) throw new CannotSnapshot(problems.join('; '))
  const stored = await readSequenceStates(tx, sequences.filter(({ readable }) => readable))
  return stored.map(({ schema, name, ownedBy, ownerSchema, lastValue, isCalled }) => ({
    name,
    ...schema !== ownSchema && { schema },
    ownedBy,
    ...ownerSchema !== null && ownerSchema !== ownSchema && { ownerSchema },
    lastValue,
    isCalled
  }))
}

/** Warnings for sequences that no table uses, which the application may use directly. */
export function unreadSequences (sequences: CatalogSequence[]): string[] {
  return sequences.filter(({ used, readable }) => !used && !readable)
    .map((sequence) => `the role lacks ${missingOn(sequence)}, so its value is not in this snapshot`)
}

const missingOn = (sequence: CatalogSequence): string =>
  missingPrivilege(sequence, `the sequence ${sequence.schema}.${sequence.name}`)
