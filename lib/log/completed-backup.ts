import type { LoggedBackup } from './log-row.ts'
import type { Backup } from '../../types/index.ts'

/** A backup that was completed; the log table has a constraint that it tells of its file then. */
export type Completed<B = Backup> = B & { sizeBytes: number, checksum: string }

/** Completed ones, and those that were restored since. */
export const hasSnapshot = <B extends LoggedBackup['backup']>(backup: B): backup is Completed<B> =>
  backup.status === 'completed' || backup.status === 'restored'
