import type { ServerFacts } from '../postgres/catalog/server.ts'
import type { Parameter } from '../postgres/driver/query.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { ExpectedSnapshot } from '../snapshot/find-problems.ts'
import type { SnapshotIdentity } from '../backup/write-tables.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import type { RestoreTarget } from './restore-scope.ts'

/** Plain data, so that it can be sent to a worker thread. */
export interface RestoreJob extends RestoreTarget {
  id: string
  /** Where a worker finds the snapshot; null if the worker has to request its bytes from the main thread. */
  file: StoredFile | null
  /** Its size. */
  storedBytes: number
  /** What the file has to match. */
  expected: ExpectedSnapshot
  allowSchemaDrift: boolean
  /** Accept a file that does not match its checksums. */
  allowModified: boolean
  /** The snapshot that is taken of the rows before they are replaced. */
  preRestore: SnapshotIdentity
  /**
   * Records the completed restore in the log, as the last statement of the transaction. Its last two
   * parameters, the number of rows of each restored table and the result so far, are appended when it runs.
   */
  completion: { text: string, parameters: Parameter[] }
}

/**
 * Called during a restore, which keeps its locks meanwhile. The snapshot is opened to verify it, and again each time
 * tables are loaded from it.
 */
export interface RestoreHooks extends ReadHooks {
  /** The restore has locked the schema and the snapshot. */
  onLocked: () => Promise<void>
  onPreRestoreStarted: () => Promise<void>
  onPreRestoreWritten: (written: WrittenSnapshot) => Promise<void>
}

/** What stays the same for all steps of a restore. */
export interface RestoreContext {
  server: ServerFacts
  job: RestoreJob
  hooks: RestoreHooks
}
