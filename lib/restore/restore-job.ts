import type { Parameter } from '../postgres/driver/query.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { ExpectedSnapshot } from '../snapshot/find-problems.ts'
import type { SnapshotIdentity } from '../backup/write-tables.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import type { RestoreTarget } from './restore-scope.ts'

/** Plain data, so that a run can be handed to another thread. */
export interface RestoreJob extends RestoreTarget {
  id: string
  /** Where a worker finds the snapshot; null has it ask for the bytes. */
  file: StoredFile | null
  /** What its file has to be. */
  expected: ExpectedSnapshot
  allowSchemaDrift: boolean
  /** Accept a file whose checksum does not match. */
  allowModified: boolean
  /** The snapshot that is taken of what is about to be replaced. */
  preRestore: SnapshotIdentity
  /** Notes the restore in the log: the last statement of the transaction. Its last parameter, the rows of the replaced tables, is still to be appended. */
  completion: { text: string, parameters: Parameter[] }
}

/** What happens elsewhere during a restore; its locks are held throughout. The snapshot is opened twice, once to verify and once to load. */
export interface RestoreHooks extends ReadHooks {
  /** The run holds the schema and the snapshot. */
  onLocked: () => Promise<void>
  onPreRestoreStarted: () => Promise<void>
  onPreRestoreWritten: (written: WrittenSnapshot) => Promise<void>
}
