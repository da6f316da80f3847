import type { PoolSettings } from '../postgres/driver/connection.ts'
import type { RestoreJob } from '../restore/restore-job.ts'
import type { ReadLimits } from '../snapshot/snapshot-input.ts'
import type { SnapshotJob } from '../backup/take-snapshot.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import type { PhaseProgress } from '../snapshot/phase-progress.ts'
import type { PortableError } from './portable-error.ts'

/** The workerData of a worker. */
export type RunRequest =
  | { kind: 'read', file: StoredFile | null, limits?: ReadLimits | undefined }
  | DatabaseRun

/** A run that opens a connection to the database. */
export type DatabaseRun =
  & { settings: PoolSettings }
  & ({ kind: 'snapshot', job: SnapshotJob } | { kind: 'restore', job: RestoreJob })

/**
 * What a worker asks the main thread during a run: to call the hook with that name, to parse a manifest, for the bytes
 * of the snapshot, and for the password when the application passed a function for it.
 */
export type Question =
  | 'onLocked'
  | 'onWritten'
  | 'onPreRestoreStarted'
  | 'onPreRestoreWritten'
  | 'parseManifest'
  | 'open'
  | 'read'
  | 'close'
  | 'password'

export type FromWorker =
  | { type: 'question', id: number, question: Question, value: unknown }
  | { type: 'progress', progress: PhaseProgress }
  | { type: 'completed', result: unknown }
  /** `rejected` is the question whose rejection made the run fail; undefined for another cause. */
  | { type: 'failed', error: PortableError, rejected: number | undefined }

export type ToWorker =
  | { type: 'answer', id: number, value: unknown }
  | { type: 'rejection', id: number, error: PortableError }
  | { type: 'abort', reason: PortableError }
