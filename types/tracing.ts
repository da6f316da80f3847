import type { BackupTrigger } from './backup.ts'

/** The last part of the names of the tracing channels: `fastify-backup.create` and so on. */
export type TracedRun = 'create' | 'restore' | 'verify' | 'import' | 'prune'

/**
 * The context object that the subscribers of a tracing channel of node:diagnostics_channel receive, the same object
 * for all messages of a run.
 */
export interface RunTrace {
  /** The backup. Of `prune`, the backup after which it prunes, or null. */
  readonly id: string | null
  /** Of `restore`, the schema that is restored into. Of `import`, null until the file has arrived. */
  schema: string | null
  /** What started the backup; of `prune`, what started the run before it, or `manual`. */
  readonly trigger: BackupTrigger
  /** Counts, when the run has succeeded. Absent also when another replica has done the work. */
  result?: RunCounts
  /** When it has failed: an error with an `FST_BACKUP_*` code. */
  error?: Error
}

/** Which of them a result has depends on the channel. */
export interface RunCounts {
  tableCount?: number | null
  rowCount?: number | null
  /** In bytes. */
  sizeBytes?: number | null
  /** Problems that `verify` found. */
  problemCount?: number
  /** Backups that `prune` removed. */
  removedCount?: number
}
