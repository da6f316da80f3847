import type { Readable } from 'node:stream'
import type { Parameter } from '../postgres/query.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { SnapshotIdentity } from '../snapshot/write-snapshot.ts'
import type { Progress } from '../../types/index.ts'
import type { RestoreTarget } from './restore-scope.ts'

/** Plain data, so that a run can be handed to another thread. */
export interface RestoreJob extends RestoreTarget {
  id: string
  /** What the log says of the file, `sha256:…`; null accepts any. */
  checksum: string | null
  allowSchemaDrift: boolean
  /** Accept a file whose checksum does not match. */
  allowModified: boolean
  /** The snapshot that is taken of what is about to be replaced. */
  preRestore: SnapshotIdentity
  /** Notes the restore in the log: the last statement of the transaction. */
  completion: { text: string, parameters: Parameter[] }
}

/** What happens elsewhere during a restore; its locks are held throughout. */
export interface RestoreHooks {
  /** The run holds the schema and the snapshot. */
  onLocked: () => Promise<void>
  /** The snapshot's bytes from the start; called twice, once to verify and once to load. */
  open: () => Promise<Readable>
  onPreRestoreStarted: () => Promise<void>
  onPreRestoreWritten: (written: WrittenSnapshot) => Promise<void>
  onProgress: (progress: Progress) => void
  signal: AbortSignal
}
