import type { Backup, BackupService, CreateOptions, RestoreOptions, RestoreResult } from '../../types/index.ts'

/** A run that has begun: `backup` as the log has it now, `finished` settles with the run. */
export interface Begun<T> { backup: Backup, finished: Promise<T> }

/** What callers ask for. */
export interface BackupCalls extends Omit<BackupService, 'on' | 'once' | 'off'> {
  /** Resolves as soon as the run is under way and its row is in the log. `finished` never counts as an unhandled rejection. */
  beginCreate: (options?: CreateOptions) => Promise<Begun<Backup>>
  beginRestore: (id: string, options?: RestoreOptions) => Promise<Begun<RestoreResult>>
}

/** The public service, and what the plugin needs besides to drive it. Its own calls are those by code. */
export interface BackupEngine extends BackupCalls, Pick<BackupService, 'on' | 'once' | 'off'> {
  /** The same calls for a caller who may name these schemas only. A backup of any other one does not exist to him. */
  forCaller: (isAllowed: (schema: string) => boolean) => BackupCalls
  /** Heals the log, starts the schedule; waits for nothing, and goes on trying while the database is down. */
  start: () => void
  /** Aborts what runs and ends downloads; resolves within 5 s. From now on every call rejects with FST_BACKUP_SHUTTING_DOWN. */
  stop: () => Promise<void>
  /** Ends the connections that the plugin opened. */
  close: () => Promise<void>
}
