import type { Follower } from '../feed/event-feed.ts'
import type {
  Backup, BackupService, CompletedBackup, CreateOptions, RestoreOptions, RestoreResult
} from '../../types/index.ts'

/** A run that has begun: `backup` as the log has it now, `finished` settles with the run. */
export interface Begun<T> { backup: Backup, finished: Promise<T> }

/** The calls of the service. */
export interface BackupCalls extends Omit<BackupService, 'on' | 'once' | 'off'> {
  /**
   * Resolves as soon as the run has begun and its row is in the log. A rejection of `finished` never counts as
   * unhandled.
   */
  beginCreate: (options?: CreateOptions) => Promise<Begun<CompletedBackup>>
  beginRestore: (id: string, options?: RestoreOptions) => Promise<Begun<RestoreResult>>
  /** See EventFeed.follow(). */
  follow: (follower: Follower) => Promise<void>
}

/** The public service and what the plugin needs to operate it. Its own calls are those from code. */
export interface BackupEngine extends BackupCalls, Pick<BackupService, 'on' | 'once' | 'off'> {
  /** The same calls for a caller who may use only these schemas; backups of others are as if they did not exist. */
  forCaller: (isAllowed: (schema: string) => boolean) => BackupCalls
  /** Starts healing the log and starts the schedule. Returns at once, and retries while the database is down. */
  start: () => void
  /** Aborts runs and downloads; resolves within 5 s. Every later call rejects with FST_BACKUP_SHUTTING_DOWN. */
  stop: () => Promise<void>
  /** Ends the connections that the plugin opened. */
  close: () => Promise<void>
}
